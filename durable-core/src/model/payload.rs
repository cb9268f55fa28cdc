//! Encoded values.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

/// Encoded value with the name of its codec.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// Name of the [`Codec`](crate::Codec) that encoded the value. If the bytes are sealed, a `+` and the name
    /// of the [`PayloadCodec`](crate::store::PayloadCodec) follow.
    pub codec: Cow<'static, str>,
    /// The encoded value.
    pub data: Bytes,
}

impl Payload {
    /// Creates a payload of JSON text.
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self {
            codec: Cow::Borrowed("json"),
            data: text.into(),
        }
    }

    /// Returns the size of the encoded value in bytes.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Returns whether the encoded value has no bytes.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Returns the encoded value if it is readable text.
    pub fn as_text(&self) -> Option<&str> {
        // Short MessagePack values may be valid UTF-8 with another meaning.
        let is_binary = self.codec == "msgpack";
        std::str::from_utf8(&self.data).ok().filter(|_| !is_binary)
    }

    /// Returns the name of the [`PayloadCodec`](crate::store::PayloadCodec) that sealed the bytes, if any.
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

    /// Splits the codec name into that of the value and that of its sealing.
    pub(crate) fn split_codec(&self) -> Option<(&str, &str)> {
        let (codec, sealing) = self.codec.rsplit_once('+')?;
        is_sealing(sealing).then_some((codec, sealing))
    }
}

/// Shows only the size, because a payload may be secret.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({}, {} bytes)", self.codec, self.data.len())
    }
}

/// Returns whether `name` is a valid name of a [`PayloadCodec`](crate::store::PayloadCodec). The form of the
/// name identifies sealed values, since the names of other codecs may contain a `+`.
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
