//! Keys of call sites that run many times.

use std::fmt::{Display, Write};

/// Key of one run of a repeated call site. Implemented for all `Display` types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "a key must be `Display`",
    note = "use a number, a text or an id; for several values write the tuple out: `key = (a, b)`"
)]
pub trait Key {
    /// Returns the key as text.
    fn text(&self) -> String;
}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> Key for T {
    fn text(&self) -> String {
        self.to_string()
    }
}

/// Converts a key to text.
pub fn key<K: Key + ?Sized>(key: &K) -> String {
    key.text()
}

/// Converts several keys to one text, joined by commas. Commas in keys are escaped, so that it is unique.
pub fn keys(keys: &[&dyn Display]) -> String {
    let mut text = String::new();
    for (n, key) in keys.iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        let mut escaping = Escaping(&mut text);
        // Writing to a `String` cannot fail. A `Display` that fails gives a shorter key.
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
