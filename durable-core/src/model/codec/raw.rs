//! Codec for raw bytes.

use bytes::Bytes;

use super::Codec;
use crate::model::error::BoxError;

/// Raw bytes without any encoding: a `Vec<u8>` or a [`Bytes`], such as a file or an image.
///
/// Takes one byte per byte in most stores, and 4/3 bytes on Lambda, where the service stores Base64 text. As
/// JSON, a `Vec<u8>` is a list of numbers and takes up to four times its size.
///
/// ```
/// use durable_core::{Codec, Raw};
///
/// # fn main() -> Result<(), durable_core::BoxError> {
/// let image = vec![0x89, b'P', b'N', b'G'];
/// assert_eq!(Raw.encode(&image)?, image);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;

#[diagnostic::do_not_recommend]
impl Codec<Vec<u8>> for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn encode(&self, value: &Vec<u8>) -> Result<Vec<u8>, BoxError> {
        Ok(value.clone())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(bytes.to_vec())
    }
}

#[diagnostic::do_not_recommend]
impl Codec<Bytes> for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn encode(&self, value: &Bytes) -> Result<Vec<u8>, BoxError> {
        Ok(value.to_vec())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Bytes, BoxError> {
        Ok(Bytes::copy_from_slice(bytes))
    }
}
