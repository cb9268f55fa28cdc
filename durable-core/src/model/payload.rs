//! Encoded values.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

/// An encoded value and the name of the codec that encoded it.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// Name of the [`Codec`](crate::Codec) the bytes were made by; where they are sealed, followed
    /// by a `+` and the name of the [`PayloadCodec`](crate::store::PayloadCodec).
    pub codec: Cow<'static, str>,
    /// The encoded value.
    pub data: Bytes,
}

impl Payload {
    /// JSON text.
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self {
            codec: Cow::Borrowed("json"),
            data: text.into(),
        }
    }

    /// How many bytes the encoded value takes.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether the encoded value takes no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The encoded value, where it is text that people can read.
    pub fn as_text(&self) -> Option<&str> {
        // Short values of this format happen to be text, but of another meaning.
        let is_binary = self.codec == "msgpack";
        std::str::from_utf8(&self.data).ok().filter(|_| !is_binary)
    }

    /// The [`PayloadCodec`](crate::store::PayloadCodec) that has sealed the bytes, if they are
    /// sealed.
    ///
    /// ```
    /// use durable_core::Payload;
    ///
    /// let sealed = Payload { codec: "json+aes-gcm:k1".into(), data: vec![1, 2].into() };
    /// assert_eq!(sealed.sealed_with(), Some("aes-gcm:k1"));
    /// let plain = Payload { codec: "application/ld+json".into(), data: "{}".into() };
    /// assert_eq!(plain.sealed_with(), None);
    /// ```
    pub fn sealed_with(&self) -> Option<&str> {
        self.split_codec().map(|(_, sealing)| sealing)
    }

    /// The codec of the value and the one that has sealed it.
    pub(crate) fn split_codec(&self) -> Option<(&str, &str)> {
        let (codec, sealing) = self.codec.rsplit_once('+')?;
        is_sealing(sealing).then_some((codec, sealing))
    }
}

/// Sizes only: a payload may be secret.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({}, {} bytes)", self.codec, self.data.len())
    }
}

/// Whether `name` can be the name of a [`PayloadCodec`](crate::store::PayloadCodec). The form of the
/// name tells sealed values apart, since codecs of plain values may have a `+` in their names.
pub(crate) fn is_sealing(name: &str) -> bool {
    const LONGEST: usize = 64;
    name.len() <= LONGEST
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"+`".contains(&byte))
        && name
            .split_once(':')
            .is_some_and(|(what, key)| !what.is_empty() && !key.is_empty())
}
