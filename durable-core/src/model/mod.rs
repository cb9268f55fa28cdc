//! Data shared by every layer: ids, times, records, errors, call sites, codecs. Depends on no other layer.

pub(crate) mod codec;
pub(crate) mod earlier;
pub mod error;
pub(crate) mod fingerprint;
pub(crate) mod id;
pub mod json;
pub(crate) mod labels;
pub(crate) mod near;
pub(crate) mod payload;
pub mod record;
pub(crate) mod retry;
pub(crate) mod sealed_text;
pub(crate) mod site;
pub(crate) mod time;
pub(crate) mod trace;
pub(crate) mod units;
