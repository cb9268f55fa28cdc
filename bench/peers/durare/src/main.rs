//! Benchmark of durare on SQLite and PostgreSQL.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use durare::{
    DurableContext, DurableEngine, PostgresProvider, SqliteProvider, StateProvider, WorkflowOptions,
};
use peer_common::{Arguments, BoxError, Laps, Row, print};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

static LAPS: Laps = Laps::new();

async fn load(context: &DurableContext, n: u32) -> durare::Result<Row> {
    context
        .step("load", move || async move { Ok(Row::new(n)) })
        .await
}

#[durare::workflow]
async fn sequential(ctx: DurableContext, n: u32) -> durare::Result<u64> {
    let mut total = 0;
    LAPS.lap();
    for i in 0..n {
        total += u64::from(load(&ctx, i).await?.rows);
        LAPS.lap();
    }
    Ok(total)
}

#[durare::workflow]
async fn many(ctx: DurableContext, steps: u32) -> durare::Result<u64> {
    let mut total = 0;
    for i in 0..steps {
        total += u64::from(load(&ctx, i).await?.rows);
    }
    Ok(total)
}

async fn open(arguments: &Arguments) -> Result<Arc<dyn StateProvider>, BoxError> {
    if arguments.store.starts_with("postgres") {
        return Ok(Arc::new(PostgresProvider::connect(&arguments.store).await?));
    }
    let Some(path) = arguments.store.strip_prefix("sqlite:") else {
        return Err(arguments.unsupported_store());
    };
    let url = format!("sqlite://{path}");
    if !arguments.syncs() {
        return Ok(Arc::new(SqliteProvider::connect(&url).await?));
    }
    // The options of `SqliteProvider::connect`, but for `synchronous`.
    let options = SqliteConnectOptions::from_str(&url)?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5));
    let pool = SqlitePoolOptions::new()
        .max_connections(5)
        .connect_with(options)
        .await?;
    Ok(Arc::new(SqliteProvider::from_pool(pool)))
}

async fn run_many(
    engine: &Arc<DurableEngine>,
    arguments: &Arguments,
) -> Result<Duration, BoxError> {
    let permits = Arc::new(Semaphore::new(arguments.concurrency));
    let mut runs = JoinSet::new();
    let start = Instant::now();
    for _ in 0..arguments.n() {
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let (engine, steps) = (Arc::clone(engine), arguments.steps);
        runs.spawn(async move {
            let handle = engine
                .start_with(Many, steps, WorkflowOptions::default())
                .await?;
            let total = handle.result().await;
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
    let engine = Arc::new(DurableEngine::new(open(arguments).await?).await?);
    engine.launch().await?;
    for run in 1..=arguments.repeat {
        match arguments.workload.as_str() {
            "sequential" => {
                let options = WorkflowOptions::default();
                let handle = engine
                    .start_with(Sequential, arguments.n(), options)
                    .await?;
                handle.result().await?;
                print("durare", arguments, run, &LAPS.take(), 1)?;
            }
            "many" => {
                let took = run_many(&engine, arguments).await?;
                print(
                    "durare",
                    arguments,
                    run,
                    &[took],
                    arguments.n() * arguments.steps,
                )?;
            }
            _ => return Err(arguments.unsupported()),
        }
    }
    Ok(())
}

fn main() -> Result<(), BoxError> {
    let arguments = Arguments::parse();
    arguments.runtime()?.block_on(measure(&arguments))
}
