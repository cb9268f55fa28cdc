//! Executions as people and programs see them: in the order of their tree, without secrets, as JSON.
//!
//! The `durable` command and the server show the same objects.

mod compare;
pub mod graph;
pub mod json;
mod nesting;
mod secrets;
pub mod text;
mod timeline;
mod tree;

pub use compare::{Comparison, Pair, Side};
pub use secrets::Secrets;
pub use timeline::{Row, Timeline};
pub use tree::{Node, operations, tree};
