//! Problems found by the tools of the testing kit.

use std::fmt;

use super::boundaries::Boundary;
use crate::run::RunError;

/// A problem found by a tool of the testing kit: two runs that should be the same differ.
///
/// `Debug` shows the same text as `Display`, for `unwrap`.
pub struct Finding {
    text: String,
    boundary: Option<Boundary>,
}

impl Finding {
    pub(super) fn new(text: String) -> Self {
        Self {
            text,
            boundary: None,
        }
    }

    pub(super) fn at(text: String, boundary: Boundary) -> Self {
        Self {
            text,
            boundary: Some(boundary),
        }
    }

    /// The boundary at which the process died, if the problem followed a crash.
    pub fn boundary(&self) -> Option<&Boundary> {
        self.boundary.as_ref()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Finding {}

impl From<RunError> for Finding {
    fn from(error: RunError) -> Self {
        Self::new(format!("the handler could not be run: {error}"))
    }
}
