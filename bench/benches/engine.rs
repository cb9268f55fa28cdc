//! Micro-benchmarks of the engine's hot path, in memory unless they say otherwise: `cargo bench -p durable-bench`.

#[path = "../src/row.rs"]
mod row;

use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::{
    Ack, Batch, Capabilities, CheckpointStore, Durability, Execution, ExecutionStore, Fence, Lease,
    MemoryStore, NewExecution, Page, Started, StoreError,
};
use durable::{
    BoxFuture, Codec, Durable, Ended, Handler, IntoHandler, Invocation, Json, Payload, Record,
    Timestamp,
};
use row::Row;
use tokio::runtime::{Builder, Runtime};

/// Steps of an execution. The costs of its start and its end are spread over them.
const STEPS: u32 = 1000;
/// Items of a `map!`.
const ITEMS: u32 = 100;
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn main() -> Result<(), BoxError> {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    codec(&mut criterion)?;
    live_and_replayed(&mut criterion, &runtime, ("step", STEPS), sequence)?;
    live_and_replayed(&mut criterion, &runtime, ("map", ITEMS), fan)?;
    load(&mut criterion, &runtime)?;
    criterion.final_summary();
    Ok(())
}

#[durable]
async fn sequence(n: u32) -> Result<u64, BoxError> {
    let mut total = 0;
    for i in 0..n {
        let row = step!("load", key = i, row_of(i)).await?;
        total += u64::from(row.rows);
    }
    // Ends the invocation: the next one replays the steps.
    wait!("end", Duration::from_secs(3600)).await;
    Ok(total)
}

#[durable]
async fn fan(n: u32) -> Result<u64, BoxError> {
    let items: Vec<u32> = (0..n).collect();
    let rows = map!("rows", items, |item| {
        let row = step!("load", row_of(item)).await?;
        Ok(row.rows)
    })
    .await;
    let total = rows.into_values()?.into_iter().map(u64::from).sum();
    wait!("end", Duration::from_secs(3600)).await;
    Ok(total)
}

fn row_of(n: u32) -> Result<Row, BoxError> {
    Ok(Row::new(n))
}

/// The value of a step, encoded and decoded.
fn codec(criterion: &mut Criterion) -> Result<(), BoxError> {
    let row = Row::new(7);
    let bytes = Json.encode(&row)?;
    let _: Row = Json.decode(&bytes)?;
    let mut group = criterion.benchmark_group("json");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("encode", |bencher| {
        bencher.iter(|| Json.encode(black_box(&row)));
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| -> Result<Row, BoxError> { Json.decode(black_box(&bytes)) });
    });
    group.finish();
    Ok(())
}

/// An execution of `n` steps or items, live and replayed.
fn live_and_replayed<F>(
    criterion: &mut Criterion,
    runtime: &Runtime,
    (name, n): (&str, u32),
    handler: F,
) -> Result<(), BoxError>
where
    F: IntoHandler + Copy,
    F::Handler: Handler<()>,
{
    let written = runtime.block_on(first_invocation(handler, n))?;
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(n.into()));
    group.bench_function("live", |bencher| {
        bencher.iter(|| runtime.block_on(first_invocation(handler, n)));
    });
    group.bench_function("replayed", |bencher| {
        bencher.iter(|| runtime.block_on(invocation(handler, n, Arc::clone(&written))));
    });
    group.finish();
    Ok(())
}

/// The load of a history from a store: on SQLite, rows are decoded and their checksums verified.
fn load(criterion: &mut Criterion, runtime: &Runtime) -> Result<(), BoxError> {
    let written = runtime.block_on(first_invocation(sequence, STEPS))?;
    let records = written.records();
    let folder = tempfile::tempdir()?;
    let (memory, sqlite, fences) = runtime.block_on(async {
        let memory = MemoryStore::new();
        let sqlite = SqliteStore::open(folder.path().join("bench.db")).await?;
        let fences = [
            filled(&memory, &records).await?,
            filled(&sqlite, &records).await?,
        ];
        Ok::<_, BoxError>((memory, sqlite, fences))
    })?;
    let stores: [(&str, &dyn CheckpointStore); 2] = [("memory", &memory), ("sqlite", &sqlite)];
    let mut group = criterion.benchmark_group("load");
    group.throughput(Throughput::Elements(records.len() as u64));
    for ((name, store), fence) in stores.into_iter().zip(&fences) {
        let page = runtime.block_on(store.load(fence, 0))?;
        if page.records.len() != records.len() {
            return Err("the page is not the complete history".into());
        }
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| runtime.block_on(store.load(fence, 0)));
        });
    }
    group.finish();
    Ok(())
}

/// Starts an execution with these records and keeps its lease.
async fn filled(store: &dyn ExecutionStore, records: &[Record]) -> Result<Fence, BoxError> {
    let Started::Created(execution) = store.start(new_execution("sequence", STEPS)?).await? else {
        return Err("the execution exists".into());
    };
    let ttl = Duration::from_secs(3600);
    let lease = store.claim(&execution.id, NOW, ttl).await?;
    let batch = Batch {
        id: 1,
        records: records.to_vec(),
        ..Batch::default()
    };
    store.checkpoint(&lease.fence, Arc::new(batch)).await?;
    Ok(lease.fence)
}

/// Runs a new execution until it waits, and returns its history.
async fn first_invocation<F>(handler: F, n: u32) -> Result<Arc<Written>, BoxError>
where
    F: IntoHandler,
    F::Handler: Handler<()>,
{
    let written = Arc::new(Written::default());
    invocation(handler, n, Arc::clone(&written)).await?;
    Ok(written)
}

/// Runs the handler from the top until it waits.
async fn invocation<F>(_handler: F, n: u32, written: Arc<Written>) -> Result<(), BoxError>
where
    F: IntoHandler,
    F::Handler: Handler<()>,
{
    let new = new_execution(<F::Handler as Durable>::NAME, n)?;
    let fence = Fence {
        execution: new.id.clone(),
        token: "1".into(),
    };
    let lease = Lease {
        fence,
        execution: Execution::queued(new),
        was_interrupted: false,
        crashes: 0,
    };
    match Invocation::new(written, lease)
        .run::<F::Handler, ()>(&())
        .await?
    {
        Ended::Suspended { .. } => Ok(()),
        other => Err(format!("the handler ended: {other:?}").into()),
    }
}

fn new_execution(handler: &str, n: u32) -> Result<NewExecution, BoxError> {
    let input = Payload::json(n.to_string());
    Ok(NewExecution::new("bench".parse()?, handler, input, NOW))
}

/// The least that a store can do: it keeps the records of one execution.
#[derive(Default)]
struct Written(Mutex<Vec<Record>>);

impl Written {
    fn records(&self) -> Vec<Record> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn put(&self, batch: &Batch) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for record in &batch.records {
            match records.binary_search_by_key(&record.seq, |known| known.seq) {
                Ok(at) => records[at] = record.clone(),
                Err(at) => records.insert(at, record.clone()),
            }
        }
    }
}

impl CheckpointStore for Written {
    fn load<'a>(&'a self, _: &'a Fence, _: u64) -> BoxFuture<'a, Result<Page, StoreError>> {
        let records = self.records();
        Box::pin(async {
            Ok(Page {
                records,
                next: None,
            })
        })
    }

    fn checkpoint<'a>(
        &'a self,
        _: &'a Fence,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<Ack, StoreError>> {
        self.put(&batch);
        Box::pin(async { Ok(Ack::default()) })
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::unlimited(Durability::Memory)
    }
}
