//! A caller that is killed at random, before, in and after its commits.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use durable::Client;
use durable::postgres::InTransaction;
use durable_core::store::{ExecutionStore, MessageStore};
use durable_postgres_tests::client;

use super::{Shop, bill, order, tally};
use crate::chaos::{Workers, number};
use crate::support::{id, open};

/// Body of a calling process. Does nothing when it runs as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caller() {
    let (Ok(url), Ok(folder)) = (
        std::env::var("DURABLE_CHAOS_URL"),
        std::env::var("DURABLE_CHAOS_FOLDER"),
    ) else {
        return;
    };
    let caller = Client::new(open(&url).await);
    let mut db = client(&url).await.unwrap();
    let process = i64::from(std::process::id()) * 1_000_000;
    let path = Path::new(&folder).join(format!("{process}.log"));
    let mut log = std::fs::File::create(path).unwrap();
    for n in 1.. {
        let number = process + n;
        let mut tx = db.transaction().await.unwrap();
        order(&tx, number).await;
        let name = number.to_string();
        let start = caller.start_in(&mut tx, bill, &name, number);
        start.label("from", "caller").await.unwrap();
        let message = caller.send_in(&mut tx, "sum", "add", &number);
        message.id(&name).await.unwrap();
        log.write_all(format!("called {number}\n").as_bytes())
            .unwrap();
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..6000))).await;
        match fastrand::u8(..4) {
            0 => tx.rollback().await.unwrap(),
            _ => tx.commit().await.unwrap(),
        }
        log.write_all(format!("ended {number}\n").as_bytes())
            .unwrap();
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
    let Some(shop) = Shop::open().await else {
        return;
    };
    let seed = number("DURABLE_CHAOS_SEED", fastrand::u64(..));
    let kills = number("DURABLE_TRANSACTION_KILLS", 25);
    println!("DURABLE_CHAOS_SEED={seed} DURABLE_TRANSACTION_KILLS={kills}");
    let mut random = fastrand::Rng::with_seed(seed);
    shop.client.start(tally, "sum", ()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let mut callers = Workers::start("transactions::kill::caller", 2, &shop.url, path);
    for n in 0..kills {
        tokio::time::sleep(Duration::from_millis(random.u64(150..400))).await;
        callers.replace(usize::from(n % 2 == 0));
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
