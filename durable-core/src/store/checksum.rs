//! Checksum of what a store keeps.

/// CRC-32C over fields, for stores whose medium may change a bit unnoticed.
///
/// A field that is not there adds nothing, so that a checksum stays valid when a later release adds one. Every field is
/// told apart by its number, its kind and its length: bytes that move from one field to the next are noticed too.
///
/// ```
/// use durable_core::store::Checksum;
///
/// let of = |value: &[u8]| {
///     let mut sum = Checksum::default();
///     sum.bytes(0, b"json");
///     sum.bytes(1, value);
///     sum.integer(2, -7);
///     sum.finish()
/// };
/// assert_ne!(of(b"100"), of(b"101"));
/// assert_eq!(of(b"100"), 0xda9f_b215);
/// ```
#[derive(Debug, Clone)]
pub struct Checksum {
    sum: u32,
    /// Bytes to add: many short fields cost as much as one long one.
    pending: [u8; PENDING],
    len: usize,
}

const PENDING: usize = 128;

impl Default for Checksum {
    fn default() -> Self {
        Self {
            sum: 0,
            pending: [0; PENDING],
            len: 0,
        }
    }
}

impl Checksum {
    /// Adds the bytes of the field with this number.
    pub fn bytes(&mut self, number: u8, value: &[u8]) {
        self.head(number, b'b', value.len() as u64);
        self.append(value);
    }

    /// Adds the whole number that the field with this number holds.
    pub fn integer(&mut self, number: u8, value: i64) {
        self.head(number, b'i', value.cast_unsigned());
    }

    fn head(&mut self, number: u8, kind: u8, value: u64) {
        let mut head = [number, kind, 0, 0, 0, 0, 0, 0, 0, 0];
        head[2..].copy_from_slice(&value.to_le_bytes());
        self.append(&head);
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.len + bytes.len() > PENDING {
            self.flush();
        }
        if bytes.len() > PENDING {
            self.sum = crc32c::crc32c_append(self.sum, bytes);
            return;
        }
        self.pending[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn flush(&mut self) {
        self.sum = crc32c::crc32c_append(self.sum, &self.pending[..self.len]);
        self.len = 0;
    }

    /// The checksum of the fields so far.
    pub fn finish(mut self) -> u32 {
        self.flush();
        self.sum
    }
}
