//! Keys of call sites that run many times.

use std::fmt::{Display, Write};

/// What can tell the runs of a call site apart: anything that has a text.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "a key must be `Display`",
    note = "use a number, a text or an id; for several values write the tuple out: `key = (a, b)`"
)]
pub trait Key {
    /// The text of the key.
    fn text(&self) -> String;
}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> Key for T {
    fn text(&self) -> String {
        self.to_string()
    }
}

/// The text of one key.
pub fn key<K: Key + ?Sized>(key: &K) -> String {
    key.text()
}

/// The text of several keys: joined by commas, so that no two lists of keys look the same.
pub fn keys(keys: &[&dyn Display]) -> String {
    let mut text = String::new();
    for (n, key) in keys.iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        let mut escaping = Escaping(&mut text);
        // Writing to a `String` cannot fail; a `Display` that does leaves a shorter key.
        let _ = write!(escaping, "{key}");
    }
    text
}

struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        for character in part.chars() {
            if matches!(character, ',' | '\\') {
                self.0.push('\\');
            }
            self.0.push(character);
        }
        Ok(())
    }
}
