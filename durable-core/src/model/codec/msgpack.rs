//! MessagePack codec, for values that JSON cannot represent.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::verified::{self, EncodeError, Format, Inspector};
use super::{Codec, OwnedValue};
use crate::model::error::BoxError;

/// MessagePack: a compact binary format with field names (feature `msgpack`).
///
/// Represents values that JSON cannot: NaN with its payload bits, infinities, maps with keys of any type, bytes
/// (`serde_bytes` and `bytes::Bytes` without overhead). `Some(None)` is refused here too; use an enum instead.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use durable_core::{Codec, MessagePack};
///
/// # fn main() -> Result<(), durable_core::BoxError> {
/// let grid = BTreeMap::from([((0, 1), f64::INFINITY), ((1, 0), -0.0)]);
/// let back: BTreeMap<(i32, i32), f64> = MessagePack.decode(&MessagePack.encode(&grid)?)?;
/// assert_eq!(back, grid);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct MessagePack;

#[diagnostic::do_not_recommend]
impl<T: Serialize + for<'de> OwnedValue<'de> + Send> Codec<T> for MessagePack {
    fn name(&self) -> &'static str {
        "msgpack"
    }

    fn encode(&self, value: &T) -> Result<Vec<u8>, BoxError> {
        verified::encode(Format::MessagePack, value, write, decode)
            .map_err(EncodeError::at_call_site)
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError> {
        decode(bytes)
    }
}

/// Uses serde's human-readable form. Types with a separate compact form do not pass through serde's buffers,
/// which untagged enums and flattened fields need.
fn write<T: Serialize>(
    value: &T,
    inspector: &Inspector,
) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    let mut bytes = Vec::with_capacity(128);
    let serializer = rmp_serde::Serializer::new(&mut bytes);
    let mut serializer = serializer.with_struct_map().with_human_readable();
    value.serialize(inspector.wrap(&mut serializer))?;
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BoxError> {
    let mut rest = bytes;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest).with_human_readable();
    let value = T::deserialize(&mut deserializer)?;
    match rest.len() {
        0 => Ok(value),
        rest => Err(format!(
            "{rest} of {} bytes are left after the decoded value",
            bytes.len()
        )
        .into()),
    }
}
