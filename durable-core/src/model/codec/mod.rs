//! Codecs: how values become bytes and come back.

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
    message = "`{T}` cannot be checkpointed by the codec `{Self}`",
    label = "`{Self}` does not encode `{T}`",
    note = "the default codec, `Json`, needs `Serialize`, `DeserializeOwned` and `Send`: derive `serde::Serialize` and `serde::Deserialize`, return something smaller from the body (an id, a summary), or give another `codec = …`",
    note = "a reference cannot be read back: return an owned value, with `.to_owned()` or `.clone()`"
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

/// Value that borrows nothing and so can be read back: any `DeserializeOwned` type.
///
/// When a body returns `&str`, rustc's error names this trait and gives no other hint.
pub trait OwnedValue<'de>: Deserialize<'de> {}

#[diagnostic::do_not_recommend]
impl<'de, T: Deserialize<'de>> OwnedValue<'de> for T {}

/// Codec for the answers of callbacks and of functions known by name only. How an answer is used determines its type;
/// where nothing does, rustc falls back to `!`.
#[diagnostic::on_unimplemented(
    message = "the codec `{Self}` cannot read an answer of type `{T}`",
    label = "say which type the answer has: `let answer: Answer = ….await?`",
    note = "`!` means that nothing states the type; for an answer without a value write `let (): () = ….await?`",
    note = "the default codec, `Json`, needs `Serialize`, `DeserializeOwned` and `Send`"
)]
pub trait Reads<T>: Codec<T> {}

#[diagnostic::do_not_recommend]
impl<T, C: Codec<T>> Reads<T> for C {}
