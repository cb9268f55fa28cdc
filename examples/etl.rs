//! Loads 10 000 reports of bird strikes into a database, in order and in batches, and writes a
//! report. Whatever kills it, running it again goes on where it was.
//!
//! ```text
//! cargo run --example etl -- --crash-after 7     # dies in the middle of batch 7
//! cargo run --example etl                        # finishes
//! ```

#[path = "etl/app.rs"]
mod app;

use std::process::ExitCode;

use app::args::Args;
use app::{App, Job, Place, Summary};
use clap::Parser as _;
use durable::prelude::*;

/// Each `step!` runs once: after a crash, finished ones answer from their checkpoints.
#[durable]
async fn etl(app: &App, job: Job) -> Result<Summary, BoxError> {
    step!("prepare", app.prepare()).await?;
    let mut place = Place::default();
    for n in 1..=job.batches() {
        place = step!("load", key = n, app.load(&job, n, place)).await?;
    }
    let summary = step!("summarize", app.summarize(&job)).await?;
    step!("write_report", app.write_report(&job, &summary)).await?;
    Ok(summary)
}

async fn run(args: Args) -> Result<(), BoxError> {
    let (app, job, execution) = args.resolve()?;
    let store = durable::open(&execution.store).await?;
    let before = execution.before(&*store).await?;
    app.announce(&job, &execution, before);
    let report = durable::run(etl, &execution.id, job.clone())
        .state(&app)
        .store(store)
        .report()
        .await;
    app.conclude(&job, &execution, before, report)
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
