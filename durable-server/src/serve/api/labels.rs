//! Labels in requests.

use std::collections::BTreeMap;

use durable_core::Labels;

use crate::serve::problem::Problem;

/// Builds the labels of an object.
pub(crate) fn labels(given: BTreeMap<String, String>) -> Result<Labels, Problem> {
    let mut given = given.into_iter();
    let labels = given.try_fold(Labels::new(), |labels, (key, value)| {
        labels.with(key, value)
    });
    labels.map_err(Problem::bad_request)
}

/// Reads labels from one line, such as `tenant=acme, env=prod`. A backslash takes the next character as it is: a comma, or a
/// space at either end of a value.
pub(crate) fn parse_labels(text: &str) -> Result<Labels, Problem> {
    let mut labels = Labels::new();
    let parts = split(text, ',').into_iter();
    for part in parts.filter(|part| !part.trim().is_empty()) {
        let Some((key, value)) = part.split_once('=') else {
            return Err(Problem::bad_request(format!(
                "`labels` has {:?}: expected a key and a value, as in tenant=acme, separated by commas",
                part.trim()
            )));
        };
        let labelled = labels.with(unescaped(key), unescaped(value));
        labels = labelled.map_err(Problem::bad_request)?;
    }
    Ok(labels)
}

/// Splits where the separator has no backslash in front of it.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (index, character) in text.char_indices() {
        if character == separator && !escaped {
            parts.push(&text[start..index]);
            start = index + character.len_utf8();
        }
        escaped = character == '\\' && !escaped;
    }
    parts.push(&text[start..]);
    parts
}

/// Removes backslashes, and spaces at both ends that have none in front of them.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut length = 0;
    let mut characters = text.trim_start().chars();
    while let Some(character) = characters.next() {
        let escaped = character == '\\';
        plain.extend(if escaped {
            characters.next()
        } else {
            Some(character)
        });
        if escaped || !character.is_whitespace() {
            length = plain.len();
        }
    }
    plain.truncate(length);
    plain
}

/// Writes labels on one line that [`parse_labels`] reads.
pub(crate) fn labels_text<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs = labels
        .into_iter()
        .map(|(key, value)| format!("{}={}", escaped(key), escaped(value)));
    pairs.collect::<Vec<_>>().join(", ")
}

fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut line = String::with_capacity(text.len());
    for (index, character) in text.chars().enumerate() {
        let at_end = index == 0 || index == last;
        if matches!(character, ',' | '\\') || character.is_whitespace() && at_end {
            line.push('\\');
        }
        line.push(character);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Labels {
        parse_labels(text).unwrap()
    }

    #[test]
    fn a_line_of_labels_is_read() {
        assert!(read("").is_empty() && read(" , ").is_empty());
        let labels = read(" tenant = acme , env=prod,query=a=b, empty=");
        let all: Vec<_> = labels.iter().collect();
        let expected = [
            ("empty", ""),
            ("env", "prod"),
            ("query", "a=b"),
            ("tenant", "acme"),
        ];
        assert_eq!(all, expected);
        for invalid in ["tenant", "=acme", "two words=x", "a=b,c"] {
            assert!(parse_labels(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for value in [
            "", "a, b", " ", "   ", "\\", " x\\,", "a=b", "=", "= x", "\n", "ä ö",
        ] {
            let labels = Labels::new().with("k,\\", value).unwrap();
            let labels = labels.with("z", "last").unwrap();
            let text = labels_text(labels.iter());
            assert_eq!(read(&text), labels, "{text:?}");
        }
    }
}
