//! Codecs, which encode values as bytes and decode them.

mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
mod raw;
mod text;
mod verified;

pub use json::Json;
pub(crate) use json::{encode_boundary, encode_one_way};
#[cfg(feature = "msgpack")]
pub use msgpack::MessagePack;
pub use raw::Raw;
pub use text::Text;

use serde::Deserialize;

use crate::model::error::BoxError;

/// Encodes the values of an operation, and decodes what was recorded.
///
/// The decoded value must equal the encoded one, because the first run continues with the decoded value too.
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
    message = "`{T}` cannot be checkpointed by the codec `{Self}`",
    label = "`{Self}` does not encode `{T}`",
    note = "the default codec, `Json`, needs `Serialize`, `DeserializeOwned` and `Send`: derive `serde::Serialize` and `serde::Deserialize`, return something smaller from the body (an id, a summary), or give another `codec = …`",
    note = "a reference cannot be read back: return an owned value, with `.to_owned()` or `.clone()`"
)]
pub trait Codec<T> {
    /// Name of the codec, stored with every value it encodes. At most 32 bytes, and the same in every release.
    /// A name that contains a `+` followed by a `:` would be mistaken for that of a sealed value.
    fn name(&self) -> &'static str;

    /// Encodes a value for the store.
    ///
    /// # Errors
    ///
    /// The operation fails with [`ErrorKind::Codec`](crate::ErrorKind::Codec).
    fn encode(&self, value: &T) -> Result<Vec<u8>, BoxError>;

    /// Decodes a recorded value.
    ///
    /// # Errors
    ///
    /// An error on a recorded value blocks the execution with a report, until a build that can decode the bytes
    /// runs it. An error on a value from an external party fails that operation with
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec). The report contains the text of the error without quoted
    /// values, and omits it for secret values.
    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError>;
}

/// Value that borrows nothing and can therefore be decoded: any `DeserializeOwned` type.
///
/// When a body returns `&str`, rustc's error names this trait without further hints.
pub trait OwnedValue<'de>: Deserialize<'de> {}

#[diagnostic::do_not_recommend]
impl<'de, T: Deserialize<'de>> OwnedValue<'de> for T {}

/// Codec for the results of callbacks and of functions known only by name. The type of such a result is
/// inferred from its use. Without a use that determines it, rustc falls back to `!`.
#[diagnostic::on_unimplemented(
    message = "the codec `{Self}` cannot read an answer of type `{T}`",
    label = "say which type the answer has: `let answer: Answer = ….await?`",
    note = "`!` means that nothing states the type; for an answer without a value write `let (): () = ….await?`",
    note = "the default codec, `Json`, needs `Serialize`, `DeserializeOwned` and `Send`"
)]
pub trait Reads<T>: Codec<T> {}

#[diagnostic::do_not_recommend]
impl<T, C: Codec<T>> Reads<T> for C {}
