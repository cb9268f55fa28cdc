//! Paginated sync: waits until an export is ready and copies a page in batches of automatic size, then continues with
//! the next page in a new execution with an empty history.
//!
//! ```text
//! cargo run --example sync
//! ```

use std::ops::ControlFlow;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cursor {
    page: u32,
    copied: usize,
}

#[durable]
async fn sync(api: &Api, from: Cursor) -> Result<usize, BoxError> {
    // Repeats the check until it returns `Break`. Between checks the execution occupies no memory.
    let export = poll!(
        "export_ready",
        every = Duration::from_millis(5),
        timeout = Duration::from_secs(60),
        state = 0_u32,
        |checks| api.export_is_ready(from.page, checks)
    )
    .await?;

    let rows = step!("list_rows", api.rows(&export)).await?;
    // Copies the rows in order, as many per step as fit the time target. Replay uses the same batches.
    let copied = batches!("copy", rows, target = Duration::from_secs(1), |batch| api
        .copy(batch)
        .await)
    .await?;
    let total = from.copied + copied.iter().sum::<usize>();

    if from.page < 3 {
        // Ends this execution and starts the next one of the chain, so that no history grows without bound.
        let next = Cursor {
            page: from.page + 1,
            copied: total,
        };
        return continue_as!(next).await;
    }
    Ok(total)
}

struct Api;

impl Api {
    fn export_is_ready(
        &self,
        page: u32,
        checks: u32,
    ) -> Result<ControlFlow<String, u32>, BoxError> {
        if checks < 2 {
            return Ok(ControlFlow::Continue(checks + 1));
        }
        println!("export of page {page} was ready after {checks} checks");
        Ok(ControlFlow::Break(format!("export-{page}")))
    }

    fn rows(&self, export: &str) -> Result<Vec<String>, BoxError> {
        Ok((0..1000).map(|row| format!("{export}/{row}")).collect())
    }

    async fn copy(&self, rows: &[String]) -> Result<usize, BoxError> {
        println!("copying {} rows from {}", rows.len(), rows[0]);
        Ok(rows.len())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let store = durable::open("memory:").await?;
    let start = Cursor { page: 1, copied: 0 };
    let copied = durable::run(sync, "sync", start)
        .state(&Api)
        .store(store)
        .await?;
    println!("copied {copied} rows");
    Ok(())
}

#[cfg(test)]
#[path = "tests/sync.rs"]
mod tests;
