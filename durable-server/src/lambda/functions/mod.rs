//! Functions: processes that poll a Runtime API.

mod fingerprint;
mod instance;
mod logs;
mod pool;
mod runtime_api;

pub(crate) use instance::{End, FunctionError, Job};
pub(crate) use logs::Logs;
pub(crate) use pool::{Environment, Pool};
