//! HTTP servers for durable executions.
//!
//! [`lambda`] runs Lambda functions on this machine. It serves the Runtime API to unmodified
//! functions, and the durable execution API and `Invoke` to AWS clients. The `durable lambda`
//! command is a thin wrapper.

mod http;
pub mod lambda;
