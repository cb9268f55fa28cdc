//! Runs one build until it waits, then another build on its history.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use durable::sqlite::SqliteStore;
use durable::store::{AdminStore, MemoryStore, Store};
use durable::{BoxError, Durable, Handler, IntoHandler, OperationId, Record, Report, Status};
use tempfile::TempDir;

use crate::support::{Crash, Effects, Probe, TokioClock};

/// Effects of the bodies, and whether the step that stops the first build may end.
#[derive(Default)]
pub(super) struct World {
    pub(super) effects: Effects,
    open: AtomicBool,
}

impl World {
    pub(super) async fn note(&self, what: &str) -> Result<String, BoxError> {
        self.effects.note(what);
        Ok(what.to_owned())
    }

    pub(super) async fn refuse(&self, what: &str) -> Result<String, BoxError> {
        self.effects.note(what);
        Err("not now".into())
    }

    /// Hangs in the first build, so that its process dies here.
    pub(super) async fn rest(&self) -> Result<(), BoxError> {
        if !self.open.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// Store of the executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Memory,
    Sqlite,
    /// A store that does not return the contents of ended scopes.
    Forgetful,
}

pub(super) struct Deploy {
    kept: Kept,
    memory: MemoryStore,
    folder: TempDir,
    pub(super) world: World,
}

impl Deploy {
    pub(super) fn new(kept: Kept) -> Self {
        Self {
            kept,
            memory: MemoryStore::new(),
            folder: tempfile::tempdir().unwrap(),
            world: World::default(),
        }
    }

    pub(super) async fn process(&self, crash: Crash) -> Arc<Probe> {
        let memory: Arc<dyn Store> = Arc::new(self.memory.clone());
        match self.kept {
            Kept::Memory => Probe::new(memory, crash),
            Kept::Forgetful => Probe::forgetful_until(memory, crash),
            Kept::Sqlite => {
                let path = self.folder.path().join("durable.db");
                Probe::new(Arc::new(SqliteStore::open(path).await.unwrap()), crash)
            }
        }
    }

    /// Runs a build until it waits, then kills its process. Returns its effects.
    pub(super) async fn first<F>(&self, handler: F) -> Vec<String>
    where
        F: IntoHandler,
        F::Handler: Handler<World> + Durable<Input = (), Output = String>,
    {
        let probe = self.process(Crash::Never).await;
        let run = durable::run(handler, "a", ())
            .clock(TokioClock::shared())
            .state(&self.world);
        let run = run.store(probe.clone()).into_future();
        tokio::select! {
            ended = run => panic!("it did not wait: {ended:?}"),
            () = self.until_idle(&probe) => {}
        }
        self.world.open.store(true, SeqCst);
        self.world.effects.take()
    }

    /// Runs another build, in a process that dies at `crash`.
    pub(super) async fn then<F>(&self, handler: F, crash: Crash) -> Option<Report<String>>
    where
        F: IntoHandler,
        F::Handler: Handler<World> + Durable<Input = (), Output = String>,
    {
        let probe = self.process(crash).await;
        let run = durable::run(handler, "a", ())
            .clock(TokioClock::shared())
            .state(&self.world);
        let run = run.store(probe.clone()).report();
        tokio::select! {
            report = probe.survive(run) => report,
            () = self.advance_forever() => None,
        }
    }

    /// Advances time by two seconds, enough for the START of a step that hangs, and completes once everything that the
    /// process wrote is in the store.
    async fn until_idle(&self, probe: &Probe) {
        if self.kept != Kept::Sqlite {
            return tokio::time::sleep(Duration::from_secs(2)).await;
        }
        for _ in 0..10 {
            pass(Duration::from_millis(200)).await;
        }
        let (mut batches, mut idle) = (0, 0);
        while idle < 10 {
            pass(Duration::ZERO).await;
            let written = probe.batches.lock().unwrap().clone();
            idle = if written.len() == batches {
                idle + 1
            } else {
                0
            };
            batches = written.len();
            let stored = self.all_records().await;
            let latest: HashMap<_, _> = written
                .iter()
                .flat_map(|batch| &batch.records)
                .map(|record| (record.id, record.status))
                .collect();
            if !latest
                .iter()
                .all(|(id, status)| stored.contains(&(*id, *status)))
            {
                idle = 0;
            }
        }
    }

    /// The records of all executions, children included.
    async fn all_records(&self) -> HashSet<(OperationId, Status)> {
        let store = self.process(Crash::Never).await;
        let mut records = HashSet::new();
        for execution in store.list(Default::default()).await.unwrap() {
            let history = store.history(&execution.id).await.unwrap();
            records.extend(history.iter().map(|record| (record.id, record.status)));
        }
        records
    }

    /// Lets time pass until the process ends.
    async fn advance_forever(&self) {
        loop {
            match self.kept {
                Kept::Sqlite => pass(Duration::from_secs(60)).await,
                Kept::Memory | Kept::Forgetful => std::future::pending().await,
            }
        }
    }

    /// The recorded history.
    pub(super) async fn history(&self) -> Vec<Record> {
        let store = self.process(Crash::Never).await;
        store.history(&"a".parse().unwrap()).await.unwrap()
    }
}

/// Advances a paused clock by this much, after a moment of real time. SQLite works in threads, which a paused clock does
/// not wait for.
async fn pass(time: Duration) {
    let work = || std::thread::sleep(Duration::from_millis(2));
    tokio::task::spawn_blocking(work).await.unwrap();
    tokio::time::advance(time).await;
}

/// Checks, on every store and after a crash around each checkpoint, that the second build resumes the history of the
/// first: it returns `output`, repeats no body, runs exactly the new bodies `anew`, and reports no drift.
pub(super) async fn everywhere<A, B>(before: A, after: B, output: &str, anew: &[&str])
where
    A: IntoHandler + Copy,
    A::Handler: Handler<World> + Durable<Input = (), Output = String>,
    B: IntoHandler + Copy,
    B::Handler: Handler<World> + Durable<Input = (), Output = String>,
{
    on(
        &[Kept::Memory, Kept::Sqlite, Kept::Forgetful],
        before,
        after,
        output,
        anew,
    )
    .await;
}

/// Checks the same on these stores.
pub(super) async fn on<A, B>(kept: &[Kept], before: A, after: B, output: &str, anew: &[&str])
where
    A: IntoHandler + Copy,
    A::Handler: Handler<World> + Durable<Input = (), Output = String>,
    B: IntoHandler + Copy,
    B::Handler: Handler<World> + Durable<Input = (), Output = String>,
{
    for kept in kept {
        for crash in [Crash::Never].into_iter().chain((1..=4).map(Crash::After)) {
            let deploy = Deploy::new(*kept);
            let done = deploy.first(before).await;
            let ids: Vec<_> = deploy
                .history()
                .await
                .iter()
                .map(|record| record.id)
                .collect();
            let report = match deploy.then(after, crash).await {
                Some(report) => report,
                None => deploy.then(after, Crash::Never).await.unwrap(),
            };
            let case = format!("{kept:?} {crash:?}");
            assert_eq!(report.output.unwrap(), output, "{case}");
            assert_eq!(report.drift, [], "{case}");
            let again = deploy.world.effects.take();
            assert!(
                !again.iter().any(|what| done.contains(what)),
                "{case}: {again:?}"
            );
            assert_eq!(again, anew, "{case}");
            let history = deploy.history().await;
            let kept_ids = history.iter().take(ids.len()).map(|record| record.id);
            assert!(kept_ids.eq(ids), "{case}: a record keeps its id");
        }
    }
}
