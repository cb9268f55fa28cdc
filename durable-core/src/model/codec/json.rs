//! JSON, the default.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::verified::{self, Format, Unfit, Watch};
use super::{Codec, OwnedValue};
use crate::model::error::BoxError;

/// The default codec: JSON text.
///
/// Floats, 128-bit integers and texts come back bit for bit. A value that JSON cannot give back is refused with
/// an error that says where it is: NaN, an infinity, `Some(None)`, a map whose keys are no text. Empty bytes stand
/// for `null`, the answer of an outside party that gave no value.
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
        encode(value).map_err(Unfit::at_call_site)
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError> {
        decode(bytes)
    }
}

/// Encodes an input or output of a handler, which are always JSON.
pub(crate) fn encode_boundary<T: Serialize + DeserializeOwned>(
    value: &T,
) -> Result<Vec<u8>, BoxError> {
    encode(value).map_err(Unfit::at_boundary)
}

/// Encodes a value that somebody else reads, as a type that is not known here.
pub(crate) fn encode_one_way<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, BoxError> {
    let watch = Watch::refusing_non_finite(Format::Json);
    write(value, &watch).map_err(|error| watch.unfit(error).at_boundary())
}

fn encode<T: Serialize + DeserializeOwned>(value: &T) -> Result<Vec<u8>, Unfit> {
    verified::encode(Format::Json, value, write, decode)
}

fn write<T: Serialize + ?Sized>(value: &T, watch: &Watch) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(128);
    let mut serializer = serde_json::Serializer::new(&mut bytes);
    value.serialize(watch.around(&mut serializer))?;
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BoxError> {
    let bytes = if bytes.is_empty() { b"null" } else { bytes };
    Ok(serde_json::from_slice(bytes)?)
}
