//! Child executions: those that an operation of this one waits for.

use std::sync::Arc;

use super::settings::Settings;
use crate::ExecutionId;
use crate::store::Store;

/// Means to run invoked executions in this process.
#[derive(Clone)]
pub(crate) struct Children {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) settings: Settings,
}

/// Execution that an operation waits for.
#[derive(Debug, Clone)]
pub(crate) struct Awaited {
    pub(crate) id: ExecutionId,
    /// Why it is blocked, if it ran in this process and is blocked or waits for an execution that is.
    pub(crate) report: Option<String>,
}
