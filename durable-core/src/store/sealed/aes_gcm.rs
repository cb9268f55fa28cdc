//! AES-256-GCM, from the RustCrypto project.

use std::fmt;

use aes_gcm::aead::common::Generate;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};

use super::codec::{PayloadCodec, SealContext};
use crate::model::error::BoxError;

const NONCE: usize = 12;
const TAG: usize = 16;

/// Payload codec that encrypts with AES-256-GCM under one key.
///
/// The sealed bytes are a random nonce of 12 bytes, the ciphertext, and a tag of 16 bytes. The tag also covers
/// [`SealContext::associated_data`], so that bytes that were changed, or moved to another operation, execution or
/// codec, do not open.
///
/// With random nonces, a key is safe for about four billion payloads (2³²). Put a new key in front of it well before
/// that. The expanded key is erased from memory on drop. Erasing the key passed to [`new`](Self::new) is up to the
/// caller.
///
/// Requires the feature `aes-gcm`.
///
/// ```
/// use durable_core::store::{AesGcm, MemoryStore, PayloadCodec, SealedStore};
///
/// # fn key_from_the_vault(_: &str) -> [u8; 32] { [7; 32] }
/// let new = AesGcm::new("2027", &key_from_the_vault("2027"));
/// let old = AesGcm::new("2026", &key_from_the_vault("2026"));
/// assert_eq!(new.name(), "aes-gcm:2027");
/// let store = SealedStore::new(MemoryStore::new(), [new, old])?;
/// # let _ = store;
/// # Ok::<(), durable_core::store::StoreError>(())
/// ```
pub struct AesGcm {
    name: String,
    cipher: Aes256Gcm,
}

impl AesGcm {
    /// Creates the codec named `aes-gcm:<key_id>`.
    ///
    /// The key must be random, not a password, and its id must never be reused for another key.
    /// [`SealedStore::new`](super::SealedStore::new) refuses an id that is not valid in the name of a
    /// [`PayloadCodec`].
    pub fn new(key_id: &str, key: &[u8; 32]) -> Self {
        Self {
            name: format!("aes-gcm:{key_id}"),
            cipher: Aes256Gcm::new(key.into()),
        }
    }
}

/// Prints the name, never the key.
impl fmt::Debug for AesGcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AesGcm({})", self.name)
    }
}

impl PayloadCodec for AesGcm {
    fn name(&self) -> &str {
        &self.name
    }

    fn seal(&self, context: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
        let nonce = <Nonce<_>>::try_generate()?;
        let aad = &context.associated_data();
        let encrypted = self.cipher.encrypt(&nonce, Payload { msg: bytes, aad })?;
        let mut sealed = Vec::with_capacity(NONCE + encrypted.len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&encrypted);
        Ok(sealed)
    }

    fn open(&self, context: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
        let (nonce, msg) = bytes
            .split_first_chunk::<NONCE>()
            .ok_or("the bytes are shorter than a nonce")?;
        let aad = &context.associated_data();
        let opened = self.cipher.decrypt(nonce.into(), Payload { msg, aad });
        Ok(opened.map_err(|_| "the authentication tag does not match")?)
    }

    fn sealed_len(&self, len: usize) -> usize {
        len.saturating_add(NONCE + TAG)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Subject;
    use super::*;
    use crate::ExecutionId;

    fn context(execution: &ExecutionId) -> SealContext<'_> {
        SealContext::new(execution, Subject::Output, "json+aes-gcm:k1")
    }

    #[test]
    fn only_unchanged_bytes_in_the_same_context_open() {
        let (a, b): (ExecutionId, ExecutionId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let codec = AesGcm::new("k1", &[1; 32]);
        let mut sealed = codec.seal(&context(&a), b"4111").unwrap();
        assert_eq!(sealed.len(), codec.sealed_len(4));
        assert_eq!(codec.open(&context(&a), &sealed).unwrap(), b"4111");
        codec.open(&context(&b), &sealed).unwrap_err();
        let other = AesGcm::new("k1", &[2; 32]);
        other.open(&context(&a), &sealed).unwrap_err();
        for at in 0..sealed.len() {
            sealed[at] ^= 1;
            codec.open(&context(&a), &sealed).unwrap_err();
            sealed[at] ^= 1;
        }
        for short in 0..sealed.len() {
            codec.open(&context(&a), &sealed[..short]).unwrap_err();
        }
        codec.open(&context(&a), &sealed).unwrap();
    }

    #[test]
    fn equal_payloads_are_sealed_with_different_nonces() {
        let id = "a".parse().unwrap();
        let codec = AesGcm::new("k1", &[1; 32]);
        let first = codec.seal(&context(&id), b"4111").unwrap();
        let second = codec.seal(&context(&id), b"4111").unwrap();
        assert_ne!(first[..NONCE], second[..NONCE]);
        assert_ne!(first[NONCE..], second[NONCE..]);
    }

    /// The bytes were sealed by another implementation, so the format cannot change unnoticed.
    #[test]
    fn bytes_of_another_implementation_open() {
        let id = "a".parse().unwrap();
        let text =
            "json+aes-gcm:k1 000102030405060708090a0b8f97a4173e22462c3022dec155ded4798e7f59fd";
        let sealed = crate::model::sealed_text::read(text).unwrap();
        let codec = AesGcm::new("k1", &[1; 32]);
        let opened = codec.open(&context(&id), &sealed.data).unwrap();
        assert_eq!(opened, b"4111");
    }

    #[test]
    fn debug_does_not_print_the_key() {
        let codec = AesGcm::new("k1", &[1; 32]);
        assert_eq!(format!("{codec:?}"), "AesGcm(aes-gcm:k1)");
    }
}
