//! Values, errors and facts as people read them.

use std::collections::BTreeMap;

use super::{Site, encoded};
use crate::serve::api::labels_text;
use crate::view::json::{Failure, Value};
use crate::view::text;

/// A fact about an execution or an operation.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) text: String,
    pub(super) href: Option<String>,
    /// Whether it is a point in time.
    pub(super) time: bool,
}

impl Fact {
    pub(super) fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self {
            name,
            text: text.into(),
            href: None,
            time: false,
        }
    }

    pub(super) fn link(name: &'static str, text: impl Into<String>, href: String) -> Self {
        Self {
            href: Some(href),
            ..Self::new(name, text)
        }
    }

    pub(super) fn at(name: &'static str, time: &str) -> Self {
        Self {
            time: true,
            ..Self::new(name, time)
        }
    }
}

/// A value: its text, or why there is none.
pub(super) struct ShownValue {
    pub(super) name: &'static str,
    pub(super) note: String,
    pub(super) text: Option<String>,
}

impl ShownValue {
    pub(super) fn new(name: &'static str, value: &Value) -> Self {
        let size = text::bytes(value.size);
        let note = match value.hidden {
            None => size,
            Some("sealed") => format!("{size}, sealed: this server has no key for it"),
            Some("secret") => format!("{size}, secret"),
            Some(_) => format!("{size}, {}", value.codec),
        };
        // Digits of numbers stay as they are.
        let json = value
            .json
            .as_ref()
            .and_then(|json| serde_json::to_string_pretty(json).ok());
        Self {
            name,
            note,
            text: json.or_else(|| value.hex.as_deref().map(dump)),
        }
    }
}

/// Bytes in groups of eight, sixteen a line.
fn dump(hex: &str) -> String {
    let mut text = String::with_capacity(hex.len() * 5 / 4);
    for (index, digit) in hex.chars().enumerate() {
        match index {
            0 => {}
            _ if index % 32 == 0 => text.push('\n'),
            _ if index % 16 == 0 => text.push_str("  "),
            _ if index % 2 == 0 => text.push(' '),
            _ => {}
        }
        text.push(digit);
    }
    text
}

/// An error.
pub(super) struct ShownError {
    pub(super) title: String,
    pub(super) message: String,
    pub(super) chain: Vec<String>,
    pub(super) type_name: Option<String>,
}

impl ShownError {
    pub(super) fn new(failure: &Failure) -> Self {
        let attempts = match failure.attempts {
            0 | 1 => String::new(),
            n => format!(" after {n} attempts"),
        };
        Self {
            title: format!("{}: {}{attempts}", failure.operation, words(failure.kind)),
            message: match &failure.message {
                Some(message) => message.clone(),
                None => "(secret)".to_owned(),
            },
            chain: failure.chain.clone(),
            type_name: failure.type_name.clone(),
        }
    }
}

fn words(kind: &str) -> String {
    kind.replace('_', " ")
}

/// A label, and the list of executions with it.
pub(super) struct LabelLink {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) href: String,
}

pub(super) fn label_links(site: &Site, labels: &BTreeMap<String, String>) -> Vec<LabelLink> {
    let link = |(key, value): (&String, &String)| LabelLink {
        href: format!(
            "{}?labels={}",
            site.home(),
            encoded(&labels_text([(key.as_str(), value.as_str())]))
        ),
        key: key.clone(),
        value: value.clone(),
    };
    labels.iter().map(link).collect()
}
