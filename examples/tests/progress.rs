//! Tests of the progress.

use durable::store::MemoryStore;
use durable::testing::crash_everywhere;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_client_sees_the_progress_to_its_end() {
    let store = MemoryStore::new();
    let client = Client::new(store.clone());
    let worker = Worker::new(store).register(import);
    let mut seen = Ok(Vec::new());
    let run = worker.run_until(async { seen = follow(&client).await });
    run.await.unwrap();
    let seen = seen.unwrap();
    let percents: Vec<_> = seen.iter().map(|progress| progress.percent).collect();
    assert!(percents.is_sorted() && percents.len() > 2, "{percents:?}");
    assert_eq!(
        (seen.last().unwrap().percent, seen.last().unwrap().rows),
        (100, 34_000)
    );
}

#[tokio::test(start_paused = true)]
async fn progress_survives_a_crash_at_any_point() {
    let files = vec!["a.csv".to_owned(), "b.csv".to_owned()];
    crash_everywhere(import, |_| (), files).await.unwrap();
}
