//! A caller that is killed at random, before, in and after its commits.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use durable::Client;
use durable::postgres::{CallerTransaction, InTransaction};
use durable_core::store::{ExecutionStore, MessageStore};
use durable_postgres_tests::client;

use super::{Shop, bill, order, sqlx, tally};
use crate::processes::{Workers, given, number};
use crate::support::id;

/// Calling processes, which are killed in turn.
const CALLERS: usize = 3;

/// What a calling process was given, and its log.
struct Caller {
    client: Client,
    url: String,
    log: std::fs::File,
    first: i64,
}

impl Caller {
    /// Returns `None` if this process runs tests.
    async fn of_this_process() -> Option<Self> {
        let given = given()?;
        let first = i64::from(std::process::id()) * 1_000_000;
        let path = given.folder.join(format!("{first}.log"));
        Some(Self {
            client: Client::new(given.store().await),
            url: given.url,
            log: std::fs::File::create(path).unwrap(),
            first,
        })
    }

    /// Makes the calls of one transaction.
    async fn call(&mut self, tx: &mut impl CallerTransaction, number: i64) {
        let name = number.to_string();
        let start = self.client.start_in(tx, bill, &name, number);
        start.label("from", "caller").await.unwrap();
        let message = self.client.send_in(tx, "sum", "add", &number);
        message.id(&name).await.unwrap();
        self.log(&format!("called {number}\n"));
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..6000))).await;
    }

    fn log(&mut self, line: &str) {
        self.log.write_all(line.as_bytes()).unwrap();
    }
}

/// Body of a calling process. Does nothing when it runs as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caller() {
    let Some(mut caller) = Caller::of_this_process().await else {
        return;
    };
    let mut db = client(&caller.url).await.unwrap();
    for number in caller.first.. {
        let mut tx = db.transaction().await.unwrap();
        order(&tx, number).await;
        caller.call(&mut tx, number).await;
        match fastrand::u8(..4) {
            0 => tx.rollback().await.unwrap(),
            _ => tx.commit().await.unwrap(),
        }
        caller.log(&format!("ended {number}\n"));
    }
}

/// The same with sqlx.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caller_with_sqlx() {
    let Some(mut caller) = Caller::of_this_process().await else {
        return;
    };
    let db = sqlx::pool(&caller.url).await;
    for number in caller.first.. {
        let mut tx = db.begin().await.unwrap();
        sqlx::order(&mut tx, number).await;
        caller.call(&mut tx, number).await;
        match fastrand::u8(..4) {
            0 => tx.rollback().await.unwrap(),
            _ => tx.commit().await.unwrap(),
        }
        caller.log(&format!("ended {number}\n"));
    }
}

/// Transactions that were neither committed nor rolled back when their process was killed.
fn unfinished(folder: &Path) -> usize {
    let mut open = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        for line in std::fs::read_to_string(entry.unwrap().path())
            .unwrap()
            .lines()
        {
            let (word, number) = line.split_once(' ').unwrap();
            match word {
                "called" => open.insert(number.to_owned()),
                _ => open.remove(number),
            };
        }
    }
    open.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_executions_agree_after_kills_of_the_caller() {
    rows_and_executions_agree("transactions::kill::caller").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_executions_agree_after_kills_of_a_caller_with_sqlx() {
    rows_and_executions_agree("transactions::kill::caller_with_sqlx").await;
}

async fn rows_and_executions_agree(body: &'static str) {
    let Some(shop) = Shop::open().await else {
        return;
    };
    let seed = number("DURABLE_CHAOS_SEED", fastrand::u64(..));
    let kills = number("DURABLE_TRANSACTION_KILLS", 25);
    println!("DURABLE_CHAOS_SEED={seed} DURABLE_TRANSACTION_KILLS={kills}");
    let mut random = fastrand::Rng::with_seed(seed);
    shop.client.start(tally, "sum", ()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut callers = Workers::start(body, CALLERS, &shop.url, folder.path());
    for n in 0..kills {
        tokio::time::sleep(Duration::from_millis(random.u64(100..260))).await;
        let caller = usize::try_from(n).unwrap() % CALLERS;
        callers.replace(caller);
    }
    drop(callers);
    // The server rolls back what the killed processes left open once it notices their end.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let rows = shop.orders().await;
    let executions = shop.executions().await.into_iter();
    let executions: BTreeSet<_> = executions.filter(|name| name != "sum").collect();
    let expected: BTreeSet<_> = rows.iter().map(i64::to_string).collect();
    assert_eq!(executions, expected, "seed {seed}");
    let messages = shop.store.messages(&id("sum")).await.unwrap();
    let sent: BTreeSet<_> = messages.iter().map(|message| message.id.clone()).collect();
    assert_eq!(sent, expected, "seed {seed}");
    assert_eq!(messages.len(), rows.len(), "seed {seed}");
    let sum = shop.store.get(&id("sum")).await.unwrap();
    assert_eq!(sum.changes, rows.len() as u64, "seed {seed}");
    let cut = unfinished(folder.path());
    println!(
        "{} rows; {kills} kills, {cut} of them between the calls and the end of the transaction",
        rows.len()
    );
    assert!(cut > 0 && !rows.is_empty(), "seed {seed}");
}
