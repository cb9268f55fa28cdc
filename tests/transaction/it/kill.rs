//! A process that transfers money is killed at random moments, again and again.
//!
//! `DURABLE_TRANSACTION_KILLS` sets the number of kills, `DURABLE_TRANSACTION_SEED` the seed.

use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use durable::transaction::{Rusqlite, migrate};
use sqlx::{MySqlPool, PgPool};

/// Accounts, and the money in each of them at first.
const ACCOUNTS: i64 = 7;
const CENTS: i64 = 10_000;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Statements that create the accounts. They work on all databases.
fn schema() -> Vec<String> {
    let mut statements = vec![
        "CREATE TABLE accounts (id BIGINT PRIMARY KEY, cents BIGINT NOT NULL)".to_owned(),
        "CREATE TABLE ledger (transfer BIGINT NOT NULL)".to_owned(),
        "CREATE TABLE confirmations (transfer BIGINT NOT NULL)".to_owned(),
    ];
    let insert = |id| format!("INSERT INTO accounts VALUES ({id}, {CENTS})");
    statements.extend((0..ACCOUNTS).map(insert));
    statements
}

/// What the database contains at the end.
#[derive(Debug, PartialEq, Eq)]
struct Books {
    balances: Vec<i64>,
    ledger: Vec<i64>,
    confirmations: Vec<i64>,
}

const BOOKS: [&str; 3] = [
    "SELECT cents FROM accounts ORDER BY id",
    "SELECT transfer FROM ledger ORDER BY transfer",
    "SELECT transfer FROM confirmations ORDER BY transfer",
];

impl Books {
    /// The books after each of the transfers `0..count` once.
    fn expected(count: i64) -> Self {
        let mut balances = vec![CENTS; usize::try_from(ACCOUNTS).unwrap()];
        for number in 0..count {
            let cents = number % 50 + 1;
            balances[usize::try_from(number % ACCOUNTS).unwrap()] -= cents;
            balances[usize::try_from((number * 3 + 1) % ACCOUNTS).unwrap()] += cents;
        }
        Self {
            balances,
            ledger: (0..count).collect(),
            confirmations: (0..count).collect(),
        }
    }
}

fn transfers(store: &Path, database: &str, numbers: Range<i64>) -> Child {
    Command::new(env!("CARGO_BIN_EXE_transfers"))
        .args([&format!("sqlite:{}", store.display()), database])
        .args([numbers.start.to_string(), numbers.end.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the process again and again, and then lets it end. Returns the number of transfers.
fn kill_at_random(database: &str, store: &Path) -> i64 {
    let seed = variable("DURABLE_TRANSACTION_SEED").unwrap_or_else(|| fastrand::u64(..));
    let kills = variable("DURABLE_TRANSACTION_KILLS").unwrap_or(60);
    println!("DURABLE_TRANSACTION_SEED={seed} DURABLE_TRANSACTION_KILLS={kills}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut killed, mut round) = (0, 0);
    while killed < kills {
        // Also those that were interrupted in the rounds before.
        let numbers = (4 * round - 8).max(0)..4 * round + 16;
        round += 1;
        let mut child = transfers(store, database, numbers);
        std::thread::sleep(Duration::from_micros(random.u64(5_000..150_000)));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            killed += 1;
        }
        child.wait().unwrap();
    }
    let count = 4 * round + 16;
    println!("killed {killed} times in {round} rounds");
    let begun = Instant::now();
    let ended = transfers(store, database, 0..count).wait().unwrap();
    assert!(ended.success());
    println!("the rest took {:?}", begun.elapsed());
    count
}

#[test]
fn every_transfer_happens_once_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bank.db");
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection
        .pragma_update(None, "journal_mode", "wal")
        .unwrap();
    connection.execute_batch(&schema().join(";")).unwrap();
    let database = Rusqlite::new(connection);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(migrate(&database)).unwrap();
    let count = kill_at_random(file.to_str().unwrap(), &folder.path().join("store.db"));
    let connection = runtime.block_on(database.lock());
    let [balances, ledger, confirmations] = BOOKS.map(|query| {
        let mut statement = connection.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    });
    let books = Books {
        balances,
        ledger,
        confirmations,
    };
    assert_eq!(books, Books::expected(count));
}

/// The same test on a pool of sqlx.
macro_rules! on_a_server {
    ($pool:ty, $url:expr) => {{
        let pool = <$pool>::connect(&$url).await.unwrap();
        for statement in schema() {
            let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement));
            statement.execute(&pool).await.unwrap();
        }
        migrate(&pool).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store.db");
        let url = $url.clone();
        let killing = tokio::task::spawn_blocking(move || kill_at_random(&url, &store));
        let count = killing.await.unwrap();
        let mut books = Vec::new();
        for query in BOOKS {
            let rows: Vec<(i64,)> = sqlx::query_as(query).fetch_all(&pool).await.unwrap();
            books.push(rows.into_iter().map(|(number,)| number).collect());
        }
        let [balances, ledger, confirmations] = books.try_into().unwrap();
        let books = Books {
            balances,
            ledger,
            confirmations,
        };
        assert_eq!(books, Books::expected(count));
    }};
}

#[tokio::test]
async fn every_transfer_happens_once_on_postgres() {
    let Some(server) = durable_postgres_tests::Server::shared().await else {
        return;
    };
    let url = server.database().await;
    on_a_server!(PgPool, url);
}

#[tokio::test]
async fn every_transfer_happens_once_on_mysql() {
    let Some(server) = crate::mysql::Server::shared().await else {
        return;
    };
    let url = server.database().await;
    on_a_server!(MySqlPool, url);
}
