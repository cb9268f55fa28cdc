//! Candidates of a claim.

/// Execution that a worker may claim.
pub(crate) struct Candidate {
    pub(crate) key: i64,
    /// Time it became due, in milliseconds since the Unix epoch.
    pub(crate) at: i64,
    /// Whether an earlier holder left a lease behind.
    pub(crate) was_interrupted: bool,
    /// Queue whose rate limit counts this start.
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
