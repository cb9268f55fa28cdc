//! Stored form of an error: a JSON object.

use serde::de::Error as _;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ErrorKind, OperationError, Origin};
use crate::model::sealed_text;

/// Implemented by hand to keep `serde_derive` out of every store's build.
impl Serialize for OperationError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = 6 + usize::from(self.sealed.is_some()) + usize::from(self.origin.is_some());
        let mut fields = serializer.serialize_struct("OperationError", count)?;
        fields.serialize_field("operation", &self.operation)?;
        fields.serialize_field("kind", self.kind.as_str())?;
        fields.serialize_field("attempts", &self.attempts)?;
        fields.serialize_field("message", &self.message)?;
        fields.serialize_field("type_name", &self.type_name)?;
        fields.serialize_field("chain", &self.chain)?;
        if let Some(origin) = &self.origin {
            let Origin {
                operation,
                kind,
                attempts,
            } = &**origin;
            fields.serialize_field("origin", &(operation, kind.as_str(), attempts))?;
        }
        if let Some(sealed) = &self.sealed {
            fields.serialize_field("sealed", &sealed_text::write(sealed))?;
        }
        fields.end()
    }
}

impl<'de> Deserialize<'de> for OperationError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = serde_json::Map::deserialize(deserializer)?;
        let mut take = |name: &str| fields.remove(name).unwrap_or_default();
        let word: String = serde_json::from_value(take("kind")).map_err(D::Error::custom)?;
        let kind = ErrorKind::from_word(&word)
            .ok_or_else(|| D::Error::custom(format!("unknown error kind {word:?}")))?;
        let origin: Option<(String, String, u32)> =
            serde_json::from_value(take("origin")).map_err(D::Error::custom)?;
        let origin = match origin {
            None => None,
            Some((operation, word, attempts)) => Some(Box::new(Origin {
                operation,
                kind: ErrorKind::from_word(&word)
                    .ok_or_else(|| D::Error::custom(format!("unknown error kind {word:?}")))?,
                attempts,
            })),
        };
        let sealed: Option<String> =
            serde_json::from_value(take("sealed")).map_err(D::Error::custom)?;
        let sealed = match sealed {
            None => None,
            Some(text) => Some(Box::new(sealed_text::read(&text).ok_or_else(|| {
                D::Error::custom(
                    "invalid sealed error: expected a codec name, a space and hexadecimal digits",
                )
            })?)),
        };
        Ok(Self {
            operation: serde_json::from_value(take("operation")).map_err(D::Error::custom)?,
            kind,
            attempts: serde_json::from_value(take("attempts")).map_err(D::Error::custom)?,
            message: serde_json::from_value(take("message")).map_err(D::Error::custom)?,
            type_name: serde_json::from_value(take("type_name")).map_err(D::Error::custom)?,
            chain: serde_json::from_value(take("chain")).map_err(D::Error::custom)?,
            origin,
            sealed,
        })
    }
}
