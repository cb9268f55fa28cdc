//! What is left of a store's limits once everything in it is sealed.

use super::codec::PayloadCodec;
use crate::store::Capabilities;

/// Records of this size on average fill a batch; with smaller ones it may be refused before.
const TYPICAL: usize = 64;

/// The limits for what is to be sealed with `codec`, given those for what is sealed.
pub(super) fn within(mut limits: Capabilities, codec: &dyn PayloadCodec) -> Capabilities {
    // A record may hold a value and an error, which are sealed apart.
    let takes = |bytes: usize| codec.sealed_len(bytes).saturating_add(codec.sealed_len(0));
    limits.max_value = largest(limits.max_value, takes);
    limits.max_output = largest(limits.max_output, takes);
    let sealed = codec.sealed_len(TYPICAL).max(TYPICAL);
    limits.max_batch = (limits.max_batch / sealed).saturating_mul(TYPICAL);
    limits
}

/// The largest number up to `limit` that takes no more than `limit`.
fn largest(limit: usize, takes: impl Fn(usize) -> usize) -> usize {
    let (mut fits, mut beyond) = (0, limit.saturating_add(1));
    while beyond - fits > 1 {
        let middle = fits + (beyond - fits) / 2;
        if takes(middle) <= limit {
            fits = middle;
        } else {
            beyond = middle;
        }
    }
    fits
}
