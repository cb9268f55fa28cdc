//! The commands that change something, a file each.

pub(crate) mod bulk;
pub(crate) mod callback;
pub(crate) mod follow;
pub(crate) mod queue;
pub(crate) mod schedule;
pub(crate) mod start;
