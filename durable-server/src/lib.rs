//! HTTP servers for durable executions.
//!
//! [`lambda`] runs Lambda functions on this machine: the Runtime API for unmodified functions, the
//! durable execution API and `Invoke` for every AWS SDK. The `durable lambda` command is a thin
//! shell around it.

mod http;
pub mod lambda;
