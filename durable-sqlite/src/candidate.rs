//! Executions that a look-up found and that may be claimed.

/// An execution that may be claimed.
pub(crate) struct Candidate {
    pub(crate) key: i64,
    /// Since when.
    pub(crate) at: i64,
    /// Whether another lease of it was left behind.
    pub(crate) was_interrupted: bool,
    /// The queue whose rate it counts for.
    pub(crate) starts_in: Option<String>,
}

impl Candidate {
    pub(crate) fn due(key: i64, at: i64) -> Self {
        Self {
            key,
            at,
            was_interrupted: false,
            starts_in: None,
        }
    }
}
