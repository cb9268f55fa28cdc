//! Tells whether an operation is asked for with what it was recorded with.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::OperationId;

/// What the body of an operation was called with, as far as that tells one input from another: the
/// `with = …` of its call site.
///
/// The first 128 bits of SHA-256 over the operation's id and the value as JSON, the fields of objects in
/// the order of their names. So it does not matter in which order a map is iterated, but it does in which
/// order a set is. Like an operation's id it is persisted, and made the same way in every release:
///
/// ```
/// use durable_core::{Fingerprint, OperationId};
///
/// let order = Fingerprint::of(OperationId::ROOT, &("order", 7))?;
/// assert_eq!(order.to_string(), "5706b2b1a7c3dcc6e8778770738cfff2");
/// # Ok::<(), durable_core::BoxError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The fingerprint of `input` for this operation.
    ///
    /// # Errors
    ///
    /// A value that JSON cannot hold.
    pub fn of<T: Serialize + ?Sized>(
        operation: OperationId,
        input: &T,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self::of_value(operation, &written(input)?))
    }

    fn of_value(operation: OperationId, value: &Value) -> Self {
        let mut hash = Sha256::new();
        hash.update(operation.as_bytes());
        add(&mut hash, value);
        let digest = hash.finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(bytes)
    }

    /// The 16 bytes of the fingerprint.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The fingerprint with these 16 bytes, as read back from a store.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

fn written<T: Serialize + ?Sized>(input: &T) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(&serde_json::to_vec(input)?)
}

/// What a call site gives for `with`, as JSON; or why it cannot be written as that.
#[derive(Debug, Clone)]
pub struct Input(Result<Value, String>);

/// What a body is called with.
pub fn input<T: Serialize + ?Sized>(value: &T) -> Input {
    Input(written(value).map_err(|error| error.to_string()))
}

impl Input {
    /// Its fingerprint for this operation.
    pub(crate) fn fingerprint(&self, operation: OperationId) -> Result<Fingerprint, &str> {
        let value = self.0.as_ref().map_err(String::as_str)?;
        Ok(Fingerprint::of_value(operation, value))
    }
}

/// Each value with its kind and its length in front, so that no two look the same.
fn add(hash: &mut Sha256, value: &Value) {
    let mut text = |kind: u8, text: &str| {
        hash.update([kind]);
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    match value {
        Value::Null => text(0, ""),
        Value::Bool(value) => text(1, if *value { "1" } else { "0" }),
        Value::Number(number) => text(2, &number.to_string()),
        Value::String(value) => text(3, value),
        Value::Array(items) => {
            text(4, &items.len().to_string());
            items.iter().for_each(|item| add(hash, item));
        }
        Value::Object(fields) => {
            text(5, &fields.len().to_string());
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            for (name, field) in fields {
                add(hash, &Value::from(name.as_str()));
                add(hash, field);
            }
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
