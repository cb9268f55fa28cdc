//! PostgreSQL for tests: real servers of the installed package, each with a folder and a port of
//! its own.
//!
//! Where no PostgreSQL is installed, [`Server::start`] prints `skipped: no PostgreSQL` and answers
//! `None`; with `DURABLE_REQUIRE_POSTGRES=1` it fails instead.

mod bouncer;
mod program;
mod proxy;
mod server;

pub use bouncer::Bouncer;
pub use proxy::{Cut, Proxy, Side};
pub use server::{Server, Settings, client};
