//! Value that the steps return.

use serde::{Deserialize, Serialize};

/// Value of a step in an ETL job: 170 bytes of JSON.
#[derive(Serialize, Deserialize)]
pub struct Row {
    /// Number of rows.
    pub rows: u32,
    cursor: String,
    source: String,
}

impl Row {
    /// Creates the value of the `n`-th step.
    pub fn new(n: u32) -> Self {
        Self {
            rows: n,
            cursor: format!("cursor-{n:032}"),
            source: "s".repeat(90),
        }
    }
}
