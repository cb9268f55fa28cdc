//! Executions that continue as others.

use durable::prelude::*;
use durable::store::{AdminStore, ExecutionStatus, MemoryStore};
use durable::{Client, ExecutionId, RunError};

use crate::support::{Effects, TokioClock};

fn id(text: &str) -> ExecutionId {
    text.parse().unwrap()
}

#[durable]
async fn chained(seen: &Effects, n: u32) -> Result<String, BoxError> {
    seen.note(execution!().id().as_str());
    if n == 0 {
        return Ok(execution!().id().to_string());
    }
    wait!("hour", Duration::from_secs(3600)).await;
    continue_as!(n - 1).await
}

#[tokio::test(start_paused = true)]
async fn chains_of_ids_with_tildes_do_not_collide() {
    let (memory, seen) = (MemoryStore::new(), Effects::default());
    for name in ["job~abc", "job~def", "job"] {
        let run = durable::run(chained, name, 1).clock(TokioClock::shared());
        let last = run.state(&seen).store(memory.clone()).await.unwrap();
        assert!(last.starts_with(name), "{name} continued as {last}");
    }
    assert_eq!(seen.all().len(), 3 + 2 * 3, "{:?}", seen.all());
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_chain_by_its_first_id() {
    let (memory, seen) = (MemoryStore::new(), Effects::default());
    let client = Client::new(memory.clone());
    let run = durable::run(chained, "a", 10).clock(TokioClock::shared());
    let run = run.state(&seen).store(memory.clone()).into_future();
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(3 * 3600 + 60)).await;
        client.cancel(&id("a")).await
    };
    let (ended, cancelled) = tokio::join!(run, cancel);
    cancelled.unwrap();
    let RunError::Failed(error) = ended.unwrap_err() else {
        panic!()
    };
    assert_eq!(error.kind(), durable::ErrorKind::Cancelled);
}

#[durable]
async fn waits_for_chain(_seen: &Effects) -> Result<String, BoxError> {
    Ok(invoke!("chain", chained(10)).await?)
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_parent_reaches_the_end_of_a_chain() {
    let (memory, seen) = (MemoryStore::new(), Effects::default());
    let client = Client::new(memory.clone());
    let run = durable::run(waits_for_chain, "a", ()).clock(TokioClock::shared());
    let run = run.state(&seen).store(memory.clone()).into_future();
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(3 * 3600 + 60)).await;
        client.cancel(&id("a")).await
    };
    let (ended, cancelled) = tokio::join!(run, cancel);
    cancelled.unwrap();
    ended.unwrap_err();
    let all = memory.list(Default::default()).await.unwrap();
    assert!(all.iter().all(|e| e.status != ExecutionStatus::Succeeded));
}
