//! Checksum of stored data.

/// CRC-32C over numbered fields, for stores whose medium may corrupt data silently.
///
/// The number, kind and length of each field are part of the checksum, so bytes that move from one field to another change
/// it too. An absent field adds nothing: a later release can add fields and old checksums stay valid.
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
    /// Buffered bytes. Short fields are hashed together, which is faster than one at a time.
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
    /// Adds a field of bytes.
    pub fn bytes(&mut self, number: u8, value: &[u8]) {
        self.head(number, b'b', value.len() as u64);
        self.append(value);
    }

    /// Adds an integer field.
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

    /// Returns the checksum of the fields added so far.
    pub fn finish(mut self) -> u32 {
        self.flush();
        self.sum
    }
}
