//! PostgreSQL for tests: real servers of the installed package, each with its own folder and port.
//!
//! If PostgreSQL is not installed, [`Server::start`] prints `skipped: no PostgreSQL` and returns
//! `None`; with `DURABLE_REQUIRE_POSTGRES=1` it fails instead.

mod bouncer;
mod certificates;
mod disk;
mod program;
mod proxy;
mod server;
mod template;

pub use bouncer::Bouncer;
pub use certificates::{Authority, Certificate};
pub use disk::{Ballast, Disk};
pub use proxy::{Cut, Proxy, Side};
pub use server::{Server, Settings, client};
