//! Limits of a sealed store.

use super::codec::PayloadCodec;
use crate::store::Capabilities;

/// Average size of a record, in bytes, by which the limit of a batch is computed. A batch of smaller records may be
/// refused below the limit.
const TYPICAL: usize = 64;

/// Returns the limits for unsealed values, given the limits for values sealed with `codec`.
pub(super) fn before_sealing(mut limits: Capabilities, codec: &dyn PayloadCodec) -> Capabilities {
    // A record may have a value and an error, which are sealed separately.
    let sealed_size = |bytes: usize| codec.sealed_len(bytes).saturating_add(codec.sealed_len(0));
    limits.max_value = largest(limits.max_value, sealed_size);
    limits.max_output = largest(limits.max_output, sealed_size);
    let sealed = codec.sealed_len(TYPICAL).max(TYPICAL);
    limits.max_batch = (limits.max_batch / sealed).saturating_mul(TYPICAL);
    limits
}

/// Returns the largest size whose sealed size is at most `limit`.
fn largest(limit: usize, sealed_size: impl Fn(usize) -> usize) -> usize {
    let (mut fits, mut exceeds) = (0, limit.saturating_add(1));
    while exceeds - fits > 1 {
        let middle = fits + (exceeds - fits) / 2;
        if sealed_size(middle) <= limit {
            fits = middle;
        } else {
            exceeds = middle;
        }
    }
    fits
}
