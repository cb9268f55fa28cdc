//! Benchmark of AWS's Rust SDK for durable functions: a replay in its local runner.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use aws_durable_execution_sdk::DurableContext;
use aws_durable_execution_sdk::test_util::LocalRunner;
use clap::Parser;
use peer_common::{Arguments, BoxError, Row, print};

/// Durations of the loop over the steps, one for each invocation.
static LOOPS: Mutex<Vec<Duration>> = Mutex::new(Vec::new());

async fn replayed(n: u32, context: DurableContext) -> Result<u64, BoxError> {
    let start = Instant::now();
    let mut total = 0;
    for i in 0..n {
        let row: Row = context
            .step(move |_| async move { Ok(Row::new(i)) })
            .name("load")
            .await?;
        total += u64::from(row.rows);
    }
    if let Ok(mut loops) = LOOPS.lock() {
        loops.push(start.elapsed());
    }
    context.wait(Duration::from_secs(1)).await?;
    Ok(total)
}

fn main() -> Result<(), BoxError> {
    let arguments = Arguments::parse();
    if arguments.workload != "replay" {
        return Err(arguments.unsupported());
    }
    let runtime = arguments.runtime()?;
    for run in 1..=arguments.repeat {
        // Without pages and with batching, the runner does the least work of its own.
        let runner = LocalRunner::new().single_page().checkpoint_batching();
        let result = runtime.block_on(runner.run(replayed, arguments.n()));
        if !result.is_success() {
            return Err(format!("the run failed: {:?}", result.error_message()).into());
        }
        let loops = LOOPS
            .lock()
            .map(|mut loops| std::mem::take(&mut *loops))
            .unwrap_or_default();
        // The first invocation executes the steps. The one after the wait replays them all.
        let last = loops.last().copied().ok_or("nothing was replayed")?;
        print(
            "aws-durable-execution-sdk",
            &arguments,
            run,
            &[last],
            arguments.n(),
        )?;
    }
    Ok(())
}
