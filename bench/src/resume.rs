//! Resume of an execution with a long history.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;
use durable::store::StoreError;
use durable::{Client, Clock, Handler, IntoHandler, Invocation, SystemClock};

use crate::floor;
use crate::opened::{Counters, Opened, execution_id};
use crate::report::{Line, Samples};
use crate::row::Row;
use crate::settings::Settings;

/// End of the loop over the steps in the last invocation.
#[derive(Default)]
struct LoopEnd(Mutex<Option<Instant>>);

#[durable]
async fn long(end: &LoopEnd, n: u32) -> Result<u64, BoxError> {
    let mut total = 0;
    for i in 0..n {
        let row = step!("load", key = i, load(i).await).await?;
        total += u64::from(row.rows);
    }
    record(end);
    wait!("end", Duration::from_secs(3600)).await;
    Ok(total)
}

async fn load(n: u32) -> Result<Row, BoxError> {
    Ok(Row::new(n))
}

fn record(end: &LoopEnd) {
    if let Ok(mut end) = end.0.lock() {
        *end = Some(Instant::now());
    }
}

/// Duration of an invocation from the claim to the end of the loop, and what the store did for it.
async fn invoke(opened: &Opened, id: &ExecutionId) -> Result<(Duration, Counters), BoxError> {
    let end = LoopEnd::default();
    let before = opened.counters();
    let start = Instant::now();
    let lease = opened
        .store
        .claim(id, SystemClock.now(), Duration::from_secs(600))
        .await?;
    run_handler(long, Invocation::new(opened.store.clone(), lease), &end).await?;
    let counted = opened.counters().since(before);
    let end = end.0.lock().map(|end| *end).unwrap_or_default();
    let end = end.ok_or("the handler did not finish its loop")?;
    Ok((end - start, counted))
}

async fn run_handler<F>(
    _handler: F,
    invocation: Invocation,
    end: &LoopEnd,
) -> Result<(), StoreError>
where
    F: IntoHandler,
    F::Handler: Handler<LoopEnd>,
{
    invocation.run::<F::Handler, _>(end).await?;
    Ok(())
}

/// Runs `n` steps, then resumes the execution several times, alternating with a bare read of the same rows.
pub async fn measure(settings: &Settings) -> Result<(), BoxError> {
    const ROUNDS: u32 = 9;
    let opened = Opened::open(&settings.store).await?;
    let n = settings.n;
    let id: ExecutionId = execution_id(0).parse()?;
    Client::new(opened.store.clone())
        .start(long, id.to_string(), n)
        .await?;
    let (live, _) = invoke(&opened, &id).await?;
    let (mut resumes, mut reads, mut counted) = (Vec::new(), Vec::new(), Counters::default());
    for _ in 0..ROUNDS {
        let (took, counters) = invoke(&opened, &id).await?;
        resumes.push(took);
        counted = counters;
        if let Some(path) = opened.path() {
            reads.push(floor::bulk_read(path, n)?);
        }
    }
    let samples = Samples::new(resumes, n);
    let mut line = Line::new("resume", opened.name, settings, "us_per_step", &samples)
        .with("live_us_per_step", live.as_secs_f64() * 1e6 / f64::from(n))
        .with("resume_ms_p50", samples.p50() * f64::from(n) / 1e3)
        .floor("bulk_read", &Samples::new(reads, n));
    line.commits = Some(counted.commits);
    line.reads = Some(counted.reads);
    line.print()?;
    opened.close()?;
    Ok(())
}
