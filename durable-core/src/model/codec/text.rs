//! Codec for plain text.

use super::Codec;
use crate::model::error::BoxError;

/// Plain text without quotes, for external parties that do not read or write JSON.
///
/// A `callback!("answer", codec = Text)` evaluates to the text it was completed with.
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
