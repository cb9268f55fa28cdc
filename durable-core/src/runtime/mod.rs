//! One invocation of a handler: the context that call sites use, the driver that polls the handler
//! and writes checkpoints, the operations, and the lease.

pub(crate) mod any_handler;
pub(crate) mod body_waker;
pub(crate) mod children;
pub(crate) mod context;
pub(crate) mod driver;
pub(crate) mod failure;
pub(crate) mod handler;
pub(crate) mod lease;
pub(crate) mod observer;
pub(crate) mod operation;
pub(crate) mod panic;
pub(crate) mod registered;
pub(crate) mod settings;
pub(crate) mod shared;
pub(crate) mod shutdown;
pub(crate) mod signal;
pub(crate) mod undo;
