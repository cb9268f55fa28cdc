//! Pages of a listing over many executions.

use std::path::Path;
use std::time::{Duration, Instant};

use durable::postgres::PostgresStore;
use durable::postgres::tokio_postgres::{Client, NoTls};
use durable::prelude::BoxError;
use durable::sqlite::SqliteStore;
use durable::store::{ExecutionStatus, Filter, Order, Store};
use durable::{ExecutionId, Labels, Timestamp};

use crate::opened::Opened;
use crate::report::{Line, Samples};
use crate::settings::Settings;

/// Executions of a page.
const PAGE: usize = 50;
/// Pages of each filter.
const PAGES: u32 = 200;

/// Inserts executions numbered from 1 to `{n}`. The databases spell some of it differently.
macro_rules! fill {
    ($table:literal, $id:literal, $input:literal, $numbers:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (key, id, handler, status, created_at, updated_at, input_codec, input, queue, labels) SELECT n, ",
            $id,
            ", CASE WHEN n % 1000 = 0 THEN 'rare' ELSE 'etl' END, CASE n % 5000 WHEN 7 THEN 'failed' WHEN 8 THEN 'cancelled' \
             ELSE 'succeeded' END, n, n, 'json', ",
            $input,
            ", CASE WHEN n % 2000 = 3 THEN 'mail' END, CASE WHEN n % 1000 = 5 THEN '{{\"tenant\":\"acme\"}}' END FROM ",
            $numbers
        )
    };
}

/// Fills the index of labels of a table.
macro_rules! index {
    ($labels:literal, $table:literal) => {
        concat!(
            "INSERT INTO ",
            $labels,
            " (label, value, execution_id, execution) SELECT 'tenant', 'acme', id, key FROM ",
            $table,
            " WHERE labels IS NOT NULL"
        )
    };
}

/// Fills an empty store with `n` executions that have ended, and lists them with different filters.
pub async fn measure(settings: &Settings) -> Result<(), BoxError> {
    let opened = Opened::open(&settings.store).await?;
    if !opened.store.list(Filter::default()).await?.is_empty() {
        return Err("`pages` fills the store: give one without executions".into());
    }
    let (postgres, path) = (opened.postgres_url(), opened.path());
    let mut database = None;
    match (postgres, path) {
        (Some(url), _) => {
            fill_postgres(url, settings.n).await?;
            let connected = connect(url).await?;
            settled(&connected, 0).await?;
            database = Some(connected);
        }
        (_, Some(path)) => fill_sqlite(path, settings.n)?,
        _ => return Err("`pages` measures SQLite and PostgreSQL".into()),
    }
    for (name, filter) in filters(settings.n) {
        let before = rows_read(database.as_ref()).await?;
        // The server counts the rows of a connection when it ends.
        let store: Box<dyn Store> = match (postgres, path) {
            (Some(url), _) => Box::new(PostgresStore::connect(url).await?),
            (_, Some(path)) => Box::new(SqliteStore::open(path).await?),
            _ => continue,
        };
        let mut laps = Vec::new();
        for round in 0..PAGES {
            let filter = from_somewhere(&filter, round, settings.n);
            let begun = Instant::now();
            let page = store.list(filter).await?;
            laps.push(begun.elapsed());
            if page.is_empty() {
                return Err(format!("the filter {name} finds nothing: give a larger --n").into());
            }
        }
        drop(store);
        let samples = Samples::new(laps, 1);
        let mut line = Line::new("pages", opened.name, settings, "us", &samples).filter(name);
        if let (Some(database), Some(before)) = (&database, before) {
            let read = settled(database, before).await? - before;
            line = line.with("rows_read", read as f64 / f64::from(PAGES));
        }
        line.print()?;
    }
    opened.close()?;
    Ok(())
}

fn id(number: u32) -> Result<ExecutionId, BoxError> {
    Ok(format!("run-{number:08}").parse()?)
}

/// Starts a page at one of many places, so that the pages differ.
fn from_somewhere(filter: &Filter, round: u32, n: u32) -> Filter {
    // The last executions are left for a whole page.
    let place = (n / 2 / PAGES) * round + n / 4;
    let mut filter = filter.clone();
    match filter.order {
        Order::Newest { .. } => {
            let id = id(place).ok();
            let after = id.map(|id| (Timestamp::from_millis(i64::from(place)), id));
            filter.order = Order::Newest { after };
        }
        _ if filter.prefix.is_none() => filter.after = id(place).ok(),
        _ => {}
    }
    filter
}

fn filters(n: u32) -> Vec<(&'static str, Filter)> {
    let all = Filter {
        limit: PAGE,
        ..Filter::default()
    };
    let of = |status: &[ExecutionStatus]| Filter {
        status: status.to_vec(),
        ..all.clone()
    };
    let rare = Filter {
        handler: Some("rare".to_owned()),
        ..all.clone()
    };
    let labelled = Filter {
        labels: Labels::new().with("tenant", "acme").unwrap_or_default(),
        ..all.clone()
    };
    let newest = |filter: &Filter| Filter {
        order: Order::Newest { after: None },
        ..filter.clone()
    };
    let failed = of(&[ExecutionStatus::Failed]);
    vec![
        ("all", all.clone()),
        ("succeeded", of(&[ExecutionStatus::Succeeded])),
        ("failed", failed.clone()),
        (
            "failed_or_cancelled",
            of(&[ExecutionStatus::Failed, ExecutionStatus::Cancelled]),
        ),
        ("handler", rare.clone()),
        (
            "queue",
            Filter {
                queue: Some("mail".to_owned()),
                ..all.clone()
            },
        ),
        (
            "prefix",
            Filter {
                prefix: Some(format!("run-{:06}", n / 200)),
                ..all.clone()
            },
        ),
        ("label", labelled.clone()),
        ("newest", newest(&all)),
        ("newest_failed", newest(&failed)),
        ("newest_handler", newest(&rare)),
        ("newest_label", newest(&labelled)),
    ]
}

async fn connect(url: &str) -> Result<Client, BoxError> {
    // The query contains options of the store.
    let database = url.split('?').next().unwrap_or(url);
    let config = database.parse::<durable::postgres::tokio_postgres::Config>()?;
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn fill_postgres(url: &str, n: u32) -> Result<(), BoxError> {
    let client = connect(url).await?;
    let fill = format!(
        fill!(
            "durable.executions",
            "'run-' || lpad(n::text, 8, '0')",
            "'{{}}'",
            "generate_series(1, {n}) AS n"
        ),
        n = n
    );
    client.batch_execute(&fill).await?;
    let index = index!("durable.labels", "durable.executions");
    client.batch_execute(index).await?;
    for table in ["executions", "labels"] {
        let vacuum = format!("VACUUM ANALYZE durable.{table}");
        client.batch_execute(&vacuum).await?;
    }
    Ok(())
}

fn fill_sqlite(path: &Path, n: u32) -> Result<(), BoxError> {
    let connection = rusqlite::Connection::open(path)?;
    let fill = format!(
        fill!(
            "executions",
            "printf('run-%08d', n)",
            "CAST('{{}}' AS BLOB)",
            "(WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {n}) SELECT n FROM n)"
        ),
        n = n
    );
    connection.execute_batch(&fill)?;
    connection.execute_batch(index!("labels", "executions"))?;
    Ok(())
}

/// Rows of the store's tables that the server has read for all connections that have ended.
async fn rows_read(database: Option<&Client>) -> Result<Option<i64>, BoxError> {
    let Some(database) = database else {
        return Ok(None);
    };
    let read = "SELECT sum(coalesce(idx_tup_fetch, 0) + seq_tup_read)::int8 FROM pg_stat_user_tables WHERE schemaname = 'durable'";
    Ok(Some(database.query_one(read, &[]).await?.get(0)))
}

/// Waits until the server has counted the rows of a connection that has ended.
async fn settled(database: &Client, before: i64) -> Result<i64, BoxError> {
    let mut last = before;
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = rows_read(Some(database)).await?.unwrap_or_default();
        if now == last && now > before {
            return Ok(now);
        }
        last = now;
    }
    Err("the server does not count the rows that were read".into())
}
