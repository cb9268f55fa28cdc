//! Identities of executions and operations.

use std::fmt;

use sha2::{Digest, Sha256};

/// Maximum length of an execution id in bytes.
const MAX_EXECUTION_ID: usize = 512;

/// Id of an execution, chosen by the caller that starts it.
///
/// Starting the same id again returns the same execution. An id from the business domain (an order number, a
/// date) therefore makes a start idempotent. Consists of 1–512 printable ASCII characters without spaces.
///
/// ```
/// use durable_core::ExecutionId;
///
/// let id: ExecutionId = "import-2026-11-23".parse()?;
/// assert_eq!(id.as_str(), "import-2026-11-23");
/// assert!("two words".parse::<ExecutionId>().is_err());
/// # Ok::<(), durable_core::InvalidExecutionId>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionId(std::sync::Arc<str>);

impl ExecutionId {
    /// Placeholder for the id of a test run that did not set one.
    #[cfg(feature = "testing")]
    pub(crate) fn placeholder() -> Self {
        Self("-".into())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Error returned when a string is not a valid [`ExecutionId`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidExecutionId {
    given: String,
}

impl fmt::Display for InvalidExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid execution id {:?}: expected 1–{MAX_EXECUTION_ID} printable ASCII characters without spaces",
            self.given
        )
    }
}

impl std::error::Error for InvalidExecutionId {}

impl std::str::FromStr for ExecutionId {
    type Err = InvalidExecutionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=MAX_EXECUTION_ID).contains(&text.len());
        if fits && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidExecutionId {
                given: text.chars().take(80).collect(),
            })
        }
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Distinguishes the runs of one call site within its scope.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Occurrence {
    /// The site runs once.
    Once,
    /// The n-th run of a site whose runs are numbered.
    Ordered(u64),
    /// The run with this key.
    Keyed(String),
}

impl fmt::Display for Occurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once => Ok(()),
            Self::Ordered(turn) => write!(f, "[{turn}]"),
            Self::Keyed(key) => write!(f, "[{key}]"),
        }
    }
}

/// Identity of an operation within its execution.
///
/// The first 128 bits of SHA-256 over the id of the enclosing scope, the length-prefixed name of the call site
/// and its [`Occurrence`]. File, line, order and version are not part of it, so moving a call site within its
/// scope keeps its identity. [`OperationId::ROOT`] is the handler itself.
///
/// Identities are persisted and are the same in every release:
///
/// ```
/// use durable_core::{Occurrence, OperationId};
///
/// let load = OperationId::of(OperationId::ROOT, "load", &Occurrence::Keyed("3".into()));
/// assert_eq!(load.to_string(), "8d9e403bc4499115d9f8d41004c865e9");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationId([u8; 16]);

impl OperationId {
    /// Scope of the call sites at the top of a handler.
    pub const ROOT: Self = Self([0; 16]);

    /// Computes the id of the operation with this name and occurrence in `scope`.
    pub fn of(scope: Self, name: &str, occurrence: &Occurrence) -> Self {
        let mut hash = Sha256::new();
        hash.update(scope.0);
        hash_text(&mut hash, name);
        match occurrence {
            Occurrence::Once => hash.update([0]),
            Occurrence::Ordered(turn) => {
                hash.update([1]);
                hash.update(turn.to_be_bytes());
            }
            Occurrence::Keyed(key) => {
                hash.update([2]);
                hash_text(&mut hash, key);
            }
        }
        let digest = hash.finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }

    /// Returns the 16 bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Creates an id from the bytes that a store returned.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// Hashes only half of the bytes: an id is a cryptographic hash, so they are distributed well enough.
impl std::hash::Hash for OperationId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let mut half = [0; 8];
        half.copy_from_slice(&self.0[8..]);
        state.write_u64(u64::from_ne_bytes(half));
    }
}

fn hash_text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u32).to_be_bytes());
    hash.update(text.as_bytes());
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
