//! The store that lives and dies with the process.

/// Keeps everything in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {}
