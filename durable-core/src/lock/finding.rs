//! What a comparison of an execution with a lock shows.

use std::fmt;

/// What becomes of an execution, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// It goes on: everything it has recorded is found.
    Safe,
    /// Records are never asked for again: what they stand for is not done by the new code.
    Orphaned,
    /// A step runs that most likely is recorded under another name.
    Reruns,
    /// A recorded value, input or state most likely cannot be read: then the execution stops, until a fitting build
    /// runs it.
    Undecodable,
    /// The execution stops, until a fitting build runs it.
    Blocked,
}

impl Verdict {
    /// Every verdict there is, the best first.
    pub const ALL: [Self; 5] = [
        Self::Safe,
        Self::Orphaned,
        Self::Reruns,
        Self::Undecodable,
        Self::Blocked,
    ];

    /// The word that commands use. Never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Orphaned => "orphaned",
            Self::Reruns => "reruns",
            Self::Undecodable => "undecodable",
            Self::Blocked => "blocked",
        }
    }
}

/// Something that an execution in flight would come upon.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What follows from it.
    pub verdict: Verdict,
    /// The operation as histories write it, with its scopes; the handler where it is about all of it.
    pub operation: String,
    /// What there is to say about it.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
