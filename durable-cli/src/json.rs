//! Output of `--json`: the objects that the server's API answers with too.

pub use durable_server::view::json::*;
use serde::Serialize;

use crate::CliError;

/// Encodes a value as indented JSON with a line break at its end.
pub(crate) fn print_json(value: &impl Serialize) -> Result<String, CliError> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
