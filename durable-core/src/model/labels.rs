//! Labels of executions.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

/// Labels of an execution: short texts by key, ordered by key. Listings and selections filter by them.
///
/// A key consists of 1–64 printable ASCII characters without `=` and spaces, a value of at most 256 characters. An
/// execution has at most 16 labels. They stay readable in a [`SealedStore`](crate::store::SealedStore): do not put
/// secrets into them.
///
/// ```
/// use durable_core::Labels;
///
/// let labels = Labels::new().with("tenant", "acme")?.with("env", "prod")?;
/// assert_eq!(labels.get("tenant"), Some("acme"));
/// assert_eq!(labels.to_string(), "env=prod tenant=acme");
/// assert!(labels.with("two words", "x").is_err());
/// # Ok::<(), durable_core::InvalidLabel>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// Maximum number of labels of an execution.
    pub const MAX_COUNT: usize = 16;
    /// Maximum length of a key, in characters.
    pub const MAX_KEY: usize = 64;
    /// Maximum length of a value, in characters.
    pub const MAX_VALUE: usize = 256;

    /// Creates an empty set of labels.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a label, replacing the one with the same key.
    ///
    /// # Errors
    ///
    /// [`InvalidLabel`] if the key or the value is not valid, or if there are too many labels.
    pub fn with(
        mut self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, InvalidLabel> {
        let (key, value) = (key.into(), value.into());
        check_key(&key)?;
        check_value(&key, &value)?;
        self.0.insert(key, value);
        if self.0.len() > Self::MAX_COUNT {
            return Err(InvalidLabel(format!(
                "too many labels: an execution has at most {}, so leave some out",
                Self::MAX_COUNT
            )));
        }
        Ok(self)
    }

    /// Returns the value of a label.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Returns the labels as pairs of key and value, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Returns the number of labels.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no labels.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether all of `wanted` are among these, with the same values.
    pub fn contains(&self, wanted: &Self) -> bool {
        wanted
            .iter()
            .all(|(key, value)| self.get(key) == Some(value))
    }

    /// Encodes the labels as a JSON object for stores, or returns `None` if there are none.
    pub fn encode(&self) -> Option<String> {
        let object = || serde_json::to_string(&self.0).unwrap_or_default();
        (!self.is_empty()).then(object)
    }

    /// Decodes what [`encode`](Self::encode) has written.
    ///
    /// # Errors
    ///
    /// [`InvalidLabel`] if the text is not a JSON object of valid labels.
    pub fn decode(text: &str) -> Result<Self, InvalidLabel> {
        let decoded: BTreeMap<String, String> = serde_json::from_str(text)
            .map_err(|error| InvalidLabel(format!("invalid labels {text:?}: {error}")))?;
        let mut labels = decoded.into_iter();
        labels.try_fold(Self::new(), |labels, (key, value)| labels.with(key, value))
    }
}

/// As a map.
impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// `env=prod tenant=acme`
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, value)) in self.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{key}={value}")?;
        }
        Ok(())
    }
}

fn check_key(key: &str) -> Result<(), InvalidLabel> {
    let fits = (1..=Labels::MAX_KEY).contains(&key.len());
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'=';
    if fits && key.bytes().all(allowed) {
        return Ok(());
    }
    let shown: String = key.chars().take(80).collect();
    Err(InvalidLabel(format!(
        "invalid label key {shown:?}: expected 1–{} printable ASCII characters without `=` and spaces",
        Labels::MAX_KEY
    )))
}

fn check_value(key: &str, value: &str) -> Result<(), InvalidLabel> {
    let length = value.chars().count();
    if length <= Labels::MAX_VALUE {
        return Ok(());
    }
    Err(InvalidLabel(format!(
        "invalid value of the label `{key}`: it has {length} characters, and at most {} are allowed",
        Labels::MAX_VALUE
    )))
}

/// Error returned for a label that is not valid. Says what is wrong and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidLabel(String);

impl fmt::Display for InvalidLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidLabel {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_have_limits() {
        let long = "k".repeat(Labels::MAX_KEY + 1);
        for key in ["", "two words", "a=b", "ümlaut", "line\n", long.as_str()] {
            let error = Labels::new().with(key, "x").unwrap_err().to_string();
            assert!(error.contains("1–64 printable ASCII"), "{error}");
        }
        assert!(Labels::new().with(&long[1..], "").is_ok());
        // Characters count, not bytes.
        assert!(Labels::new().with("k", "ü".repeat(256)).is_ok());
        let error = Labels::new().with("tenant", "ü".repeat(257)).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("`tenant`") && error.contains("257"),
            "{error}"
        );
    }

    #[test]
    fn the_number_of_labels_has_a_limit() {
        let mut labels = Labels::new();
        for n in 0..Labels::MAX_COUNT {
            labels = labels.with(format!("k{n}"), "x").unwrap();
        }
        // Replaces one of them.
        labels = labels.with("k0", "y").unwrap();
        assert_eq!(labels.get("k0"), Some("y"));
        let error = labels.with("k16", "x").unwrap_err().to_string();
        assert!(error.contains("at most 16"), "{error}");
    }

    #[test]
    fn decoding_restores_the_labels() {
        let value = "a=b \u{1f600}\u{0}\"\\";
        let labels = Labels::new().with("tenant", value).unwrap();
        assert_eq!(Labels::decode(&labels.encode().unwrap()), Ok(labels));
        assert_eq!(Labels::new().encode(), None);
        for invalid in ["", "[]", r#"{"a":1}"#, r#"{"two words":"x"}"#] {
            assert!(Labels::decode(invalid).is_err(), "{invalid}");
        }
    }
}
