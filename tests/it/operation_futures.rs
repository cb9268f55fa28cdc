//! Several futures that belong to one operation.

use durable::Client;
use durable::prelude::*;
use durable::store::MemoryStore;

use crate::support::{Effects, TokioClock};

#[durable]
async fn both_at_once(seen: &Effects) -> Result<String, BoxError> {
    let approval = callback!("approval");
    let id = approval.id();
    let note_id = async {
        seen.note(id.await);
    };
    let (answer, ()) = futures::future::join(approval, note_id).await;
    let answer: String = answer?;
    Ok(answer)
}

#[tokio::test(start_paused = true)]
async fn a_callback_can_be_awaited_together_with_its_id() {
    let (memory, seen) = (MemoryStore::new(), Effects::default());
    let client = Client::new(memory.clone());
    let run = durable::run(both_at_once, "a", ()).clock(TokioClock::shared());
    let run = run.state(&seen).store(memory.clone()).into_future();
    let answer = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        client.complete(&seen.all()[0], &"yes").await.unwrap();
    };
    let both = async { tokio::join!(run, answer) };
    let (output, ()) = tokio::time::timeout(Duration::from_secs(3600), both)
        .await
        .expect("hangs");
    assert_eq!(output.unwrap(), "yes");
}
