//! JSON codec, the default.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::verified::{self, EncodeError, Format, Inspector};
use super::{Codec, OwnedValue};
use crate::model::error::BoxError;

/// The default codec: JSON text.
///
/// Floats, 128-bit integers and strings round-trip bit for bit. Values that JSON cannot represent are refused
/// with an error that names their path: NaN, infinities, `Some(None)`, maps whose keys are not strings. Empty
/// bytes decode like `null`, for external parties that complete a callback without a value.
///
/// ```
/// use durable_core::{Codec, Json};
///
/// # fn main() -> Result<(), durable_core::BoxError> {
/// let price = 0.1_f64 * 1.1;
/// assert_eq!(Json.decode(&Json.encode(&price)?).map(f64::to_bits)?, price.to_bits());
///
/// let error = Json.encode(&vec![1.0, f64::NAN]).unwrap_err().to_string();
/// assert!(error.starts_with("NaN at `[1]` cannot be written as JSON"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

#[diagnostic::do_not_recommend]
impl<T: Serialize + for<'de> OwnedValue<'de> + Send> Codec<T> for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn encode(&self, value: &T) -> Result<Vec<u8>, BoxError> {
        encode(value).map_err(EncodeError::at_call_site)
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError> {
        decode(bytes)
    }
}

/// Encodes an input or output of a handler, which are always JSON.
pub(crate) fn encode_boundary<T: Serialize + DeserializeOwned>(
    value: &T,
) -> Result<Vec<u8>, BoxError> {
    encode(value).map_err(EncodeError::at_boundary)
}

/// Encodes a value that an external party decodes, so that it cannot be verified by decoding it here.
pub(crate) fn encode_one_way<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, BoxError> {
    let inspector = Inspector::refusing_non_finite(Format::Json);
    write(value, &inspector).map_err(|error| inspector.into_error(error).at_boundary())
}

fn encode<T: Serialize + DeserializeOwned>(value: &T) -> Result<Vec<u8>, EncodeError> {
    verified::encode(Format::Json, value, write, decode)
}

fn write<T: Serialize + ?Sized>(
    value: &T,
    inspector: &Inspector,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(128);
    let mut serializer = serde_json::Serializer::new(&mut bytes);
    value.serialize(inspector.wrap(&mut serializer))?;
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BoxError> {
    let bytes = if bytes.is_empty() { b"null" } else { bytes };
    Ok(serde_json::from_slice(bytes)?)
}
