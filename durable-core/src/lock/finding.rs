//! Findings of a comparison between an execution and a lock.

use std::fmt;

/// Consequence of a finding for the execution, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// The execution can continue: all of its records match a call site.
    Safe,
    /// No call site matches a record, so what it did is not part of the new code.
    Orphaned,
    /// A step runs again that is probably recorded under another name.
    Reruns,
    /// A recorded value, input or state probably cannot be decoded. The execution then blocks until a
    /// compatible build runs it.
    Undecodable,
    /// The execution blocks until a compatible build runs it.
    Blocked,
}

impl Verdict {
    /// All verdicts, from best to worst.
    pub const ALL: [Self; 5] = [
        Self::Safe,
        Self::Orphaned,
        Self::Reruns,
        Self::Undecodable,
        Self::Blocked,
    ];

    /// Returns the word used by commands. It is the same in every release.
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

/// Problem that an execution in flight would run into.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Consequence for the execution.
    pub verdict: Verdict,
    /// Path of the operation by display names, or the name of the handler if the finding concerns all of it.
    pub operation: String,
    /// Description of the problem.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
