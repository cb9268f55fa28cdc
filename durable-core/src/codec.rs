//! How values become bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::BoxError;

/// Encodes the values of an operation, and decodes what was recorded.
///
/// The same value must come back: the first run sees the decoded form too.
///
/// ```
/// use durable_core::{BoxError, Codec};
///
/// struct Shout;
///
/// impl Codec<String> for Shout {
///     fn name(&self) -> &'static str {
///         "shout"
///     }
///     fn encode(&self, value: &String) -> Result<Vec<u8>, BoxError> {
///         Ok(value.to_uppercase().into_bytes())
///     }
///     fn decode(&self, bytes: &[u8]) -> Result<String, BoxError> {
///         Ok(String::from_utf8(bytes.to_vec())?)
///     }
/// }
/// # assert_eq!(Shout.encode(&"a".to_owned()).unwrap(), b"A");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{T}` cannot be checkpointed",
    label = "a checkpointed value must be `Serialize`, `DeserializeOwned` and `Send`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, return something smaller from the body (an id, a summary), or give `codec = …`"
)]
pub trait Codec<T> {
    /// Kept beside every value this codec encodes. At most 32 bytes; never changes. With a `+` and
    /// after it a `:` it would be taken for that of a sealed value.
    fn name(&self) -> &'static str;

    /// The bytes to keep.
    ///
    /// # Errors
    ///
    /// The operation fails with kind `Codec`.
    fn encode(&self, value: &T) -> Result<Vec<u8>, BoxError>;

    /// The value the bytes were made of.
    ///
    /// # Errors
    ///
    /// The execution is blocked with a report, until a build runs it that can read the bytes. What somebody outside
    /// has given is an error of that call, of kind `Codec`. The report shows the text of the error without what it
    /// quotes, and leaves it out where the value is secret.
    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError>;
}

/// The default codec: JSON text. No bytes at all stand for `null`: somebody outside answered without
/// a value.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send> Codec<T> for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn encode(&self, value: &T) -> Result<Vec<u8>, BoxError> {
        Ok(serde_json::to_vec(value)?)
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError> {
        let bytes = if bytes.is_empty() { b"null" } else { bytes };
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// Text as it is, without quotes: for what somebody outside writes or reads who knows no JSON.
///
/// `callback!("answer", codec = Text)` awaits to whatever text it was answered with.
///
/// ```
/// use durable_core::{Codec, Text};
///
/// # fn main() -> Result<(), durable_core::BoxError> {
/// assert_eq!(Text.encode(&"yes".to_owned())?, b"yes");
/// assert_eq!(Text.decode(b"{\"approved\": true}")?, "{\"approved\": true}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Text;

#[diagnostic::do_not_recommend]
impl Codec<String> for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn encode(&self, value: &String) -> Result<Vec<u8>, BoxError> {
        Ok(value.clone().into_bytes())
    }

    fn decode(&self, bytes: &[u8]) -> Result<String, BoxError> {
        Ok(std::str::from_utf8(bytes)?.to_owned())
    }
}
