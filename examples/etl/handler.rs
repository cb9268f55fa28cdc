//! The durable function. Wherever it runs, this is all there is to it.

use durable::prelude::*;

use crate::app::{App, Job, Place, Summary};

/// Each `step!` runs once: after a crash, finished ones answer from their checkpoints.
#[durable]
pub(crate) async fn etl(app: &App, job: Job) -> Result<Summary, BoxError> {
    step!("prepare", app.prepare()).await?;
    let mut place = Place::default();
    for n in 1..=job.batches() {
        place = step!("load", key = n, app.load(&job, n, place)).await?;
    }
    let summary = step!("summarize", app.summarize(&job)).await?;
    step!("write_report", app.write_report(&job, &summary)).await?;
    Ok(summary)
}
