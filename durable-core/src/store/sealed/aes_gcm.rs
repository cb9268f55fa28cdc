//! AES-256-GCM, by the RustCrypto implementation.

use std::fmt;

use aes_gcm::aead::common::Generate;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};

use super::codec::{PayloadCodec, SealContext};
use crate::model::error::BoxError;

const NONCE: usize = 12;
const TAG: usize = 16;

/// Encrypts with AES-256-GCM under one key.
///
/// What is kept is a nonce of 12 random bytes from the operating system, the ciphertext and the
/// tag of 16 bytes. The tag covers [`SealContext::associated_data`] too, so that bytes which were
/// changed or moved to another operation, execution or codec do not open.
///
/// With random nonces a key is good for some four billion payloads (2³²); put a new key in front
/// of it well before. The expanded key is wiped when this is dropped; the caller wipes its own.
///
/// Needs the feature `aes-gcm`.
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
    /// The codec `aes-gcm:<key_id>`. A key must be random, not a password, and its id is never
    /// given to another key. An id that makes no name of a [`PayloadCodec`] is refused by
    /// [`SealedStore::new`](super::SealedStore::new).
    pub fn new(key_id: &str, key: &[u8; 32]) -> Self {
        Self {
            name: format!("aes-gcm:{key_id}"),
            cipher: Aes256Gcm::new(key.into()),
        }
    }
}

/// Never the key.
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
            .ok_or("there are fewer bytes than a nonce has")?;
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
    fn opens_what_it_sealed_and_nothing_else() {
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
    fn a_nonce_is_used_once() {
        let id = "a".parse().unwrap();
        let codec = AesGcm::new("k1", &[1; 32]);
        let first = codec.seal(&context(&id), b"4111").unwrap();
        let second = codec.seal(&context(&id), b"4111").unwrap();
        assert_ne!(first[..NONCE], second[..NONCE]);
        assert_ne!(first[NONCE..], second[NONCE..]);
    }

    /// Made by another implementation: what is stored stays readable.
    #[test]
    fn opens_what_others_sealed() {
        let id = "a".parse().unwrap();
        let text =
            "json+aes-gcm:k1 000102030405060708090a0b8f97a4173e22462c3022dec155ded4798e7f59fd";
        let sealed = crate::model::sealed_text::read(text).unwrap();
        let codec = AesGcm::new("k1", &[1; 32]);
        let opened = codec.open(&context(&id), &sealed.data).unwrap();
        assert_eq!(opened, b"4111");
    }

    #[test]
    fn debug_says_no_key() {
        let codec = AesGcm::new("k1", &[1; 32]);
        assert_eq!(format!("{codec:?}"), "AesGcm(aes-gcm:k1)");
    }
}
