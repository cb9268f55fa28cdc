//! Executions that an operation of this one waits for.

use std::sync::Arc;

use super::settings::Settings;
use crate::ExecutionId;
use crate::store::Store;

/// What it takes to run invoked executions in this process.
#[derive(Clone)]
pub(crate) struct Children {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) settings: Settings,
}

/// An execution that an operation waits for.
#[derive(Debug, Clone)]
pub(crate) struct Awaited {
    pub(crate) id: ExecutionId,
    /// Why it cannot go on, if it was run here and is blocked, or waits for one that is.
    pub(crate) report: Option<String>,
}
