//! Escapes U+0000 in texts, which PostgreSQL cannot store.

use std::borrow::Cow;

/// Escape character: followed by `0` it stands for U+0000, and followed by `1` for itself.
const MARK: char = '\u{1a}';

/// Escapes a text for storage.
pub(crate) fn stored(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', MARK]) {
        return Cow::Borrowed(text);
    }
    let mut stored = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => stored.extend([MARK, '0']),
            MARK => stored.extend([MARK, '1']),
            other => stored.push(other),
        }
    }
    Cow::Owned(stored)
}

/// Reverses [`stored`].
pub(crate) fn original(stored: &str) -> String {
    if !stored.contains(MARK) {
        return stored.to_owned();
    }
    let mut text = String::with_capacity(stored.len());
    let mut characters = stored.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            MARK => match characters.next() {
                Some('0') => '\0',
                _ => MARK,
            },
            other => other,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_round_trips() {
        for text in ["", "plain", "a\0b", "\u{1a}", "\u{1a}0\0\u{1a}1", "\0\0"] {
            let stored = stored(text);
            assert!(!stored.contains('\0'), "{text:?}");
            assert_eq!(original(&stored), text);
        }
    }
}
