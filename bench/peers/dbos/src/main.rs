//! Benchmark of dbos on PostgreSQL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use dbos::{Config, DBOS, Error, WorkflowRef};
use peer_common::{Arguments, BoxError, Laps, Row, print};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

static LAPS: Laps = Laps::new();

async fn load(n: u32) -> dbos::Result<Row> {
    dbos::step("load", move || async move { Ok::<_, Error>(Row::new(n)) }).await
}

async fn sequential(n: u32) -> dbos::Result<u64> {
    let mut total = 0;
    LAPS.lap();
    for i in 0..n {
        total += u64::from(load(i).await?.rows);
        LAPS.lap();
    }
    Ok(total)
}

async fn many(steps: u32) -> dbos::Result<u64> {
    let mut total = 0;
    for i in 0..steps {
        total += u64::from(load(i).await?.rows);
    }
    Ok(total)
}

async fn run_many(
    many: &WorkflowRef<u32, u64>,
    arguments: &Arguments,
) -> Result<Duration, BoxError> {
    let permits = Arc::new(Semaphore::new(arguments.concurrency));
    let mut runs = JoinSet::new();
    let start = Instant::now();
    for _ in 0..arguments.n() {
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let (many, steps) = (many.clone(), arguments.steps);
        runs.spawn(async move {
            let total = many.start(steps).await?.result().await;
            drop(permit);
            total
        });
    }
    while let Some(done) = runs.join_next().await {
        done??;
    }
    Ok(start.elapsed())
}

async fn measure(arguments: &Arguments) -> Result<(), BoxError> {
    if !arguments.store.starts_with("postgres") {
        return Err(arguments.unsupported_store());
    }
    let config = Config {
        app_version: Some("1.0.0".to_owned()),
        ..Config::new("bench", &arguments.store)
    };
    let dbos = DBOS::new(config);
    let sequential = dbos.register_workflow("sequential", sequential)?;
    let many = dbos.register_workflow("many", many)?;
    dbos.launch().await?;
    for run in 1..=arguments.repeat {
        match arguments.workload.as_str() {
            "sequential" => {
                sequential.start(arguments.n()).await?.result().await?;
                print("dbos", arguments, run, &LAPS.take(), 1)?;
            }
            "many" => {
                let took = run_many(&many, arguments).await?;
                print(
                    "dbos",
                    arguments,
                    run,
                    &[took],
                    arguments.n() * arguments.steps,
                )?;
            }
            _ => return Err(arguments.unsupported()),
        }
    }
    dbos.shutdown().await;
    Ok(())
}

fn main() -> Result<(), BoxError> {
    let arguments = Arguments::parse();
    arguments.runtime()?.block_on(measure(&arguments))
}
