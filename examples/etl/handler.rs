//! The durable function, which is the same on every host.

use durable::prelude::*;

use crate::app::{App, Job, Offset, Summary};

/// Loads the source in batches and writes the report. After a crash, finished steps replay from their checkpoints.
#[durable]
pub(crate) async fn etl(app: &App, job: Job) -> Result<Summary, BoxError> {
    step!("prepare", app.prepare()).await?;
    let mut offset = Offset::default();
    for n in 1..=job.batches() {
        offset = step!("load", key = n, app.load(&job, n, offset)).await?;
    }
    let summary = step!("summarize", app.summarize(&job)).await?;
    step!("write_report", app.write_report(&job, &summary)).await?;
    Ok(summary)
}
