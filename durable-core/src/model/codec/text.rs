//! Text without quotes.

use super::Codec;
use crate::model::error::BoxError;

/// Text as it is, without quotes: for an outside party that reads or writes no JSON.
///
/// `callback!("answer", codec = Text)` awaits to the text it was answered with.
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
