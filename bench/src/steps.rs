//! Handler whose cost a step is counted: instructions by callgrind, allocations by an allocator.

use std::sync::Arc;
use std::time::Duration;

use durable::durable;
use durable::prelude::*;
use durable::store::{ExecutionStore, MemoryStore, StoreError};
use durable::{Client, Clock, Handler, IntoHandler, Invocation, SystemClock};

use crate::row::Row;

#[durable]
async fn counted(steps: u32) -> Result<u64, BoxError> {
    let mut total = 0;
    for i in 0..steps {
        let row = step!("load", key = i, load(i).await).await?;
        total += u64::from(row.rows);
    }
    wait!("suspend", Duration::from_secs(3600)).await;
    Ok(total)
}

async fn load(n: u32) -> Result<Row, BoxError> {
    Ok(Row::new(n))
}

/// Runs a handler with `steps` steps in memory and replays them `replays` times, all on this thread.
pub fn run(steps: u32, replays: u32) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let store = Arc::new(MemoryStore::new());
        let client = Client::new(store.clone());
        let id = client.start(counted, "counted", steps).await?;
        for _ in 0..=replays {
            invoke(counted, &store, id.id()).await?;
        }
        Ok(())
    })
}

async fn invoke<F>(
    _handler: F,
    store: &Arc<MemoryStore>,
    id: &ExecutionId,
) -> Result<(), StoreError>
where
    F: IntoHandler,
    F::Handler: Handler<()>,
{
    let now = SystemClock.now();
    let lease = store.claim(id, now, Duration::from_secs(600)).await?;
    let invocation = Invocation::new(store.clone(), lease);
    invocation.run::<F::Handler, _>(&()).await?;
    Ok(())
}
