//! Bank with two accounts, whose handlers transfer money in a transaction.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use durable::store::{Capabilities, Durability, Lease, MemoryStore, NewExecution, StoreError};
use durable::store::{ExecutionStore, StoreErrorKind};
use durable::transaction::Table;
use durable::{
    BoxError, Clock, Durable, Ended, Handler, IntoHandler, Invocation, Payload, Retry, RunError,
    SystemClock,
};

use crate::probe::{Hooks, Point, Probe};

/// Keeps a database alive.
pub(crate) type Alive = Box<dyn Any + Send + Sync>;

pub(crate) const TTL: Duration = Duration::from_secs(60);
/// Balance of each account before the first transfer.
pub(crate) const START: i64 = 1000;
/// Creates the accounts. Works on all databases.
pub(crate) const ACCOUNTS: [&str; 4] = [
    "CREATE TABLE accounts (id INT PRIMARY KEY, cents BIGINT NOT NULL)",
    "CREATE TABLE ledger (cents BIGINT NOT NULL)",
    "INSERT INTO accounts VALUES (1, 1000)",
    "INSERT INTO accounts VALUES (2, 1000)",
];

/// What is in the database.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) balances: [i64; 2],
    pub(crate) ledger: i64,
    pub(crate) outcomes: i64,
    pub(crate) fences: i64,
}

/// Queries for [`Facts`], in their order.
pub(crate) const FACTS: [&str; 5] = [
    "SELECT cents FROM accounts WHERE id = 1",
    "SELECT cents FROM accounts WHERE id = 2",
    "SELECT count(*) FROM ledger",
    "SELECT count(*) FROM durable_transactions WHERE operation <> ''",
    "SELECT count(*) FROM durable_transactions WHERE operation = ''",
];

impl Facts {
    pub(crate) fn of([one, two, ledger, outcomes, fences]: [i64; 5]) -> Self {
        Self {
            balances: [one, two],
            ledger,
            outcomes,
            fences,
        }
    }

    /// The facts after this number of transfers of 10 cents.
    pub(crate) fn after(transfers: i64, outcomes: i64, fences: i64) -> Self {
        Self {
            balances: [START - 10 * transfers, START + 10 * transfers],
            ledger: transfers,
            outcomes,
            fences,
        }
    }
}

/// Database of a driver under test.
pub(crate) trait Database: Table + Sized {
    /// Creates an empty database with the accounts and the table. `None` if there is no server. The second value keeps
    /// it alive.
    async fn open() -> Option<(Self, Alive)>;

    async fn facts(&self) -> Facts;

    /// Runs a statement.
    async fn execute(&self, sql: &'static str);
}

/// State of the handlers.
pub(crate) struct App<D> {
    pub(crate) db: Probe<D>,
    pub(crate) hooks: Arc<Hooks>,
    /// How many bodies have begun.
    pub(crate) begun: AtomicU32,
    /// How many bodies fail after they have moved the money.
    pub(crate) failures: AtomicU32,
    /// How many executions fail after the transfer.
    pub(crate) later_failures: AtomicU32,
    pub(crate) attempts: AtomicU32,
    /// Pause before another attempt, in milliseconds.
    pub(crate) pause: AtomicU64,
    _alive: Alive,
}

impl<D: Database> App<D> {
    pub(crate) async fn open() -> Option<Self> {
        let (inner, alive) = D::open().await?;
        let hooks = Arc::new(Hooks::default());
        Some(Self {
            db: Probe {
                inner,
                hooks: Arc::clone(&hooks),
            },
            hooks,
            begun: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            later_failures: AtomicU32::new(0),
            attempts: AtomicU32::new(3),
            pause: AtomicU64::new(1),
            _alive: alive,
        })
    }

    pub(crate) async fn facts(&self) -> Facts {
        self.db.inner.facts().await
    }
}

impl<D> App<D> {
    pub(crate) fn retry(&self) -> Retry {
        let pause = Duration::from_millis(self.pause.load(SeqCst));
        Retry::fixed(pause).attempts(self.attempts.load(SeqCst))
    }

    /// Called at the beginning of a body.
    pub(crate) async fn begin(&self) {
        self.begun.fetch_add(1, SeqCst);
        self.hooks.pass(Point::InBody).await;
    }

    /// Called at the end of a body.
    pub(crate) fn end(&self) -> Result<(), BoxError> {
        fail(&self.failures, "insufficient trust")
    }

    /// Called after the transfer.
    pub(crate) fn report(&self, balance: i64) -> Result<i64, BoxError> {
        fail(&self.later_failures, "out of paper").map(|()| balance)
    }

    pub(crate) fn begun(&self) -> u32 {
        self.begun.load(SeqCst)
    }
}

fn fail(times: &AtomicU32, message: &'static str) -> Result<(), BoxError> {
    let left = times.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
    match left {
        Ok(_) if message == "panic" => panic!("{message}"),
        Ok(_) => Err(message.into()),
        Err(_) => Ok(()),
    }
}

/// A store whose fences have no order, as on AWS Lambda.
pub(crate) fn unordered() -> MemoryStore {
    MemoryStore::with_capabilities(Capabilities::unlimited(Durability::Memory))
}

/// Starts the execution `a` and takes its lease.
pub(crate) async fn start<F: IntoHandler>(_: F, store: &MemoryStore) -> Lease {
    let now = SystemClock.now();
    let id = "a".parse().unwrap();
    let new = NewExecution::new(id, F::Handler::NAME, Payload::json("10"), now);
    store.start(new).await.unwrap();
    store.claim(&"a".parse().unwrap(), now, TTL).await.unwrap()
}

/// Takes the lease over after its expiry.
pub(crate) async fn take_over(store: &MemoryStore) -> Lease {
    let later = SystemClock.now().after(TTL * 2);
    let id = "a".parse().unwrap();
    store.claim(&id, later, TTL).await.unwrap()
}

/// Runs one invocation.
pub(crate) async fn invoke<D, F>(
    _: F,
    store: &MemoryStore,
    lease: Lease,
    app: &App<D>,
) -> Result<Ended, StoreError>
where
    App<D>: Sync,
    F: IntoHandler,
    F::Handler: Handler<App<D>>,
{
    let store = Arc::new(store.clone());
    Invocation::new(store, lease)
        .suspend_after(Duration::from_secs(60))
        .run::<F::Handler, _>(app)
        .await
}

/// Runs the execution `a` to its end.
pub(crate) async fn run<D, F>(
    transfer: F,
    store: &MemoryStore,
    app: &App<D>,
) -> Result<i64, RunError>
where
    App<D>: Sync,
    F: IntoHandler,
    F::Handler: Handler<App<D>, Input = i64, Output = i64>,
{
    durable::run(transfer, "a", 10)
        .state(app)
        .store(store.clone())
        .await
}

pub(crate) fn output(ended: Result<Ended, StoreError>) -> i64 {
    match ended {
        Ok(Ended::Succeeded(output)) => output.as_text().unwrap().parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn assert_lost(ended: Result<Ended, StoreError>) {
    let kind = ended.expect_err("the lease was taken over").kind();
    assert_eq!(kind, StoreErrorKind::FenceLost);
}
