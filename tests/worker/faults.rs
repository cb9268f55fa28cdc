//! Faulty disks and clocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::{ExecutionStatus, StoreErrorKind};
use durable::{BoxFuture, Client, Clock, SystemClock, Timestamp, Worker, WorkerError};

use crate::support::{Effects, Serving, status, until};

#[durable]
async fn long(effects: &Effects, steps: u32) -> Result<u32, BoxError> {
    let mut sum = 0;
    for i in 0..steps {
        sum += step!("one", key = i, one(effects, i).await).await?;
    }
    Ok(sum)
}

async fn one(effects: &Effects, i: u32) -> Result<u32, BoxError> {
    effects.note(format!("{i}"));
    tokio::time::sleep(Duration::from_millis(5)).await;
    Ok(i)
}

#[durable]
async fn sleeper(effects: &Effects, until: i64) -> Result<(), BoxError> {
    wait!(until = Timestamp::from_millis(until)).await;
    step!("woke", one(effects, 0).await).await?;
    Ok(())
}

#[tokio::test]
async fn a_deleted_store_file_ends_the_worker_with_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let effects = Effects::default();
    let worker = Worker::new(store.clone())
        .state(effects.clone())
        .register(long);
    let serving = Serving::begin(worker);
    let client = Client::new(store.clone());
    client.start(long, "a", 10_000).await.unwrap();
    until(async || effects.all().len() > 20).await;
    std::fs::remove_file(&path).unwrap();
    // Skips the time for which the worker tries again.
    tokio::time::pause();
    let error = serving.ended().await.unwrap_err();
    tokio::time::resume();
    assert!(
        matches!(&error, WorkerError::Store(error) if error.kind() == StoreErrorKind::Unusable)
    );
    assert!(
        error.to_string().contains("was deleted or replaced"),
        "{error}"
    );
    // No write is acknowledged that would be lost.
    let refused = client.start(long, "b", 1).await.unwrap_err();
    assert!(
        refused.to_string().contains("Put the file back"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_restored_store_file_is_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let (path, aside) = (
        directory.path().join("a.db"),
        directory.path().join("aside.db"),
    );
    let store = SqliteStore::open(&path).await.unwrap();
    let effects = Effects::default();
    let worker = Worker::new(store.clone())
        .state(effects.clone())
        .register(long);
    let serving = Serving::begin(worker);
    let client = Client::new(store.clone());
    let handle = client.start(long, "a", 300).await.unwrap();
    until(async || effects.all().len() > 20).await;
    std::fs::rename(&path, &aside).unwrap();
    let refused = client.start(long, "b", 1).await.unwrap_err();
    assert!(
        refused.to_string().contains("was deleted or replaced"),
        "{refused}"
    );
    std::fs::rename(&aside, &path).unwrap();
    assert_eq!(handle.result().await.unwrap(), (0..300).sum::<u32>());
    serving.stop().await;
}

#[cfg(target_os = "linux")]
#[test]
fn work_resumes_after_a_full_disk() {
    // A separate process whose files may not grow beyond a limit: writes fail as on a full disk.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let exe = std::env::current_exe().unwrap();
    let script = format!(
        "trap '' XFSZ; ulimit -S -f 1024; exec {} --exact faults::full_disk_child --nocapture --test-threads=1",
        exe.display()
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .env("DURABLE_FULL_DISK", &path)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(stdout.contains("@full"), "{stdout}");
    assert!(stdout.contains("@done"), "{stdout}");
}

/// Runs into the file size limit, raises it and continues.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn full_disk_child() {
    let Ok(path) = std::env::var("DURABLE_FULL_DISK") else {
        return;
    };
    let store = SqliteStore::open(&path).await.unwrap();
    let worker = Worker::new(store.clone()).register(bulky);
    let serving = Serving::begin(worker);
    let client = Client::new(store.clone());
    let handle = client.start(bulky, "a", 40).await.unwrap();
    // Other writes fail with a clear error until then.
    let mut why = None;
    for n in 0..2000 {
        if let Err(error) = client.start(bulky, format!("small-{n}"), 0).await {
            why = Some(error.to_string());
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let why = why.expect("the disk is never full");
    println!("@full {why}");
    assert!(
        why.contains("nothing was changed") || why.contains("check the disk"),
        "{why}"
    );
    let pid = std::process::id().to_string();
    let raised = std::process::Command::new("prlimit")
        .args(["--pid", &pid, "--fsize=unlimited:unlimited"])
        .status()
        .unwrap();
    assert!(raised.success());
    assert_eq!(handle.result().await.unwrap(), 40);
    println!("@done");
    serving.stop().await;
}

#[durable]
async fn bulky(steps: u32) -> Result<u32, BoxError> {
    let mut count = 0;
    for i in 0..steps {
        let text = step!("text", key = i, bulk(i).await).await?;
        count += u32::from(!text.is_empty());
    }
    Ok(count)
}

async fn bulk(i: u32) -> Result<String, BoxError> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(format!("{i}").repeat(50_000))
}

/// A clock that can be set.
#[derive(Clone, Default)]
struct Settable(Arc<AtomicI64>);

impl Settable {
    fn shift(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for Settable {
    fn now(&self) -> Timestamp {
        let now = SystemClock.now().as_millis();
        Timestamp::from_millis(now + self.0.load(Ordering::SeqCst))
    }

    fn sleep(&self, delay: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(delay)
    }
}

#[tokio::test]
async fn setting_the_clock_forward_fires_timers_and_takes_no_lease_over() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("a.db"))
        .await
        .unwrap();
    let (effects, clock) = (Effects::default(), Settable::default());
    let worker = || {
        let worker = Worker::new(store.clone()).state(effects.clone());
        worker
            .register(sleeper)
            .register(long)
            .clock(Arc::new(clock.clone()))
    };
    let workers = [Serving::begin(worker()), Serving::begin(worker())];
    let client = Client::new(store.clone()).clock(Arc::new(clock.clone()));
    let due = clock.now().after(Duration::from_secs(3600)).as_millis();
    let asleep = client.start(sleeper, "asleep", due).await.unwrap();
    let busy = client.start(long, "busy", 400).await.unwrap();
    until(async || status(&store, "asleep").await == ExecutionStatus::Suspended).await;
    until(async || effects.all().len() > 20).await;
    clock.shift(4000);
    asleep.result().await.unwrap();
    assert_eq!(busy.result().await.unwrap(), (0..400).sum::<u32>());
    // Every lease had expired at the new time, and none was taken over: each body ran once.
    assert_eq!(effects.all().len(), 401);
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test]
async fn setting_the_clock_back_does_not_stop_work() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("a.db"))
        .await
        .unwrap();
    let (effects, clock) = (Effects::default(), Settable::default());
    let worker = Worker::new(store.clone()).state(effects.clone());
    let worker = worker
        .register(sleeper)
        .register(long)
        .clock(Arc::new(clock.clone()));
    let serving = Serving::begin(worker);
    let client = Client::new(store.clone()).clock(Arc::new(clock.clone()));
    let busy = client.start(long, "busy", 200).await.unwrap();
    until(async || effects.all().len() > 20).await;
    clock.shift(-4000);
    let soon = clock.now().after(Duration::from_millis(1500)).as_millis();
    let asleep = client.start(sleeper, "asleep", soon).await.unwrap();
    asleep.result().await.unwrap();
    assert!(clock.now().as_millis() >= soon);
    assert_eq!(busy.result().await.unwrap(), (0..200).sum::<u32>());
    assert_eq!(effects.all().len(), 201);
    serving.stop().await;
}
