//! Limits and guarantees of a store.

use std::fmt;
use std::time::Duration;

/// Failures that an acknowledged checkpoint survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Durability {
    /// None: it is lost when the process ends.
    Memory,
    /// The end of the process, but possibly not a power failure.
    Process,
    /// A power failure.
    Power,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory (lost when the process ends)",
            Self::Process => "process (survives a crash of the process)",
            Self::Power => "power (survives power loss)",
        })
    }
}

/// Limits and properties of a store. Sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Failures that an acknowledged checkpoint survives.
    pub durability: Durability,
    /// Largest encoded value of one operation.
    pub max_value: usize,
    /// Largest encoded output of an execution.
    pub max_output: usize,
    /// Largest sum of values in one batch. A single larger update is sent in a batch by itself.
    pub max_batch: usize,
    /// Most operations of one execution. `None` means that only disk space limits them.
    pub max_operations: Option<u64>,
    /// Largest error of one operation, measured as JSON. Longer errors are shortened.
    pub max_error: usize,
    /// Largest encoded input of an invoked execution.
    pub max_input: usize,
    /// Most bytes that all checkpoints of one execution may write. `None` means that only disk space
    /// limits them.
    pub max_total_bytes: Option<u64>,
    /// Longest timer. `None` means any length.
    pub max_timer: Option<Duration>,
    /// Whether the store is a service that completes timers and starts invocations itself.
    ///
    /// The clock of this process then completes no timers, and a suspension writes nothing. Records are
    /// recognised by their ids alone: the service keeps their order, and their names are only for
    /// people. Work that another invocation has to continue is represented by a timer.
    pub service_driven: bool,
    /// Whether values are stored as text. Binary values then take a third more space.
    pub text_only: bool,
    /// Whether executions can be sent messages ([`MessageStore`](super::MessageStore)).
    pub messages: bool,
    /// Whether an execution can be started for a tenant ([`NewExecution::tenant`](super::NewExecution::tenant)).
    pub tenants: bool,
    /// Whether the tokens of [fences](super::Fence) have the form `text.number`. The text is the same for all leases of an
    /// execution, and has at most 40 ASCII characters. The number grows with each lease.
    ///
    /// Steps in a transaction (`tx`) then keep a process out that has lost its lease without noticing.
    pub ordered_fences: bool,
    /// Whether the operations in a finished scope are loaded even though the scope has a recorded value.
    /// If not, a scope whose replay needs them records a summary or no value.
    pub keeps_children: bool,
}

impl Capabilities {
    /// Returns the limits of a store that takes values of up to 64 MiB and any number of operations.
    pub const fn unlimited(durability: Durability) -> Self {
        Self {
            durability,
            max_value: 64 << 20,
            max_output: 64 << 20,
            max_batch: 256 << 20,
            max_operations: None,
            max_error: 64 << 20,
            max_input: 64 << 20,
            max_total_bytes: None,
            max_timer: None,
            service_driven: false,
            text_only: false,
            messages: false,
            tenants: false,
            ordered_fences: false,
            keeps_children: true,
        }
    }

    /// States that executions can be sent messages.
    #[must_use]
    pub const fn with_messages(mut self) -> Self {
        self.messages = true;
        self
    }

    /// States that fences are [ordered](Self::ordered_fences).
    #[must_use]
    pub const fn with_ordered_fences(mut self) -> Self {
        self.ordered_fences = true;
        self
    }

    /// Sets the limit for a single value and for the output of an execution.
    #[must_use]
    pub const fn with_max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self.max_output = bytes;
        self
    }
}
