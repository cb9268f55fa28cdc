//! Handler whose cost a step is counted: instructions by callgrind, allocations by an allocator.

use std::sync::Arc;
use std::time::Duration;

use durable::durable;
use durable::prelude::*;
use durable::store::MemoryStore;

use crate::row::Row;

/// Runs steps, and replays them after each of the waits. The input is the number of both.
#[durable]
async fn counted(input: (u32, u32)) -> Result<u64, BoxError> {
    let (steps, replays) = input;
    let mut total = 0;
    for i in 0..steps {
        let row = step!("load", key = i, load(i).await).await?;
        total += u64::from(row.rows);
    }
    for i in 0..replays {
        wait!("suspend", key = i, Duration::from_nanos(1)).await;
    }
    Ok(total)
}

async fn load(n: u32) -> Result<Row, BoxError> {
    Ok(Row::new(n))
}

/// Runs the handler in memory, on this thread.
pub fn run(steps: u32, replays: u32) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let run = durable::run(counted, "counted", (steps, replays))
        .store(Arc::new(MemoryStore::new()))
        .suspend_after(Duration::ZERO);
    let report = runtime.block_on(run.report());
    report.output?;
    if report.invocations != u64::from(replays) + 1 {
        return Err(format!("{} invocations for {replays} replays", report.invocations).into());
    }
    Ok(())
}
