//! Loads 10 000 reports of bird strikes into a database in batches, and writes a report. After a crash, run it again
//! and it resumes where it left off.
//!
//! ```text
//! cargo run --example etl -- --crash-after 7     # dies in the middle of batch 7
//! cargo run --example etl                        # finishes
//! ```

#[path = "etl/app.rs"]
mod app;
#[path = "etl/args.rs"]
mod args;
#[path = "etl/execution.rs"]
mod execution;
#[path = "etl/handler.rs"]
mod handler;

use std::process::ExitCode;

use args::Args;
use clap::Parser as _;
use durable::prelude::*;
use handler::etl;

async fn run(args: Args) -> Result<(), BoxError> {
    let (app, job, execution) = args.resolve()?;
    let store = durable::open(&execution.store).await?;
    let progress = execution.progress(&*store).await?;
    app.print_start(&job, &execution, progress);
    let report = durable::run(etl, &execution.id, job.clone())
        .state(&app)
        .store(store)
        .report()
        .await;
    app.print_result(&job, &execution, progress, report)
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
#[path = "tests/etl.rs"]
mod tests;
