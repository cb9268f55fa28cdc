//! Listings read pages by index in a large table. `DURABLE_LISTED` sets the number of executions.

use std::time::{Duration, Instant};

use durable_core::store::{AdminStore, ExecutionStatus, Filter, Order};
use durable_core::{ExecutionId, Labels};
use durable_postgres::PostgresStore;
use durable_postgres_tests::{Server, client};
use tokio_postgres::Client;

use crate::command::run;
use crate::support::{open, sql, until};

async fn filled(url: &str) -> i64 {
    let count = std::env::var("DURABLE_LISTED").map_or(100_000, |text| text.parse().unwrap());
    let fill = format!(
        "INSERT INTO durable.executions (key, id, handler, status, created_at, updated_at, input_codec, input, queue) SELECT \
         n, 'run-' || lpad(n::text, 8, '0'), CASE WHEN n % 1000 = 0 THEN 'rare' ELSE 'etl' END, CASE WHEN n % 5000 = 7 THEN \
         'failed' ELSE 'succeeded' END, n, n, 'json', '{{\"file\": \"a.csv\"}}', CASE WHEN n % 2000 = 3 THEN 'mail' END FROM \
         generate_series(1, {count}) AS n; ANALYZE durable.executions"
    );
    sql(url, &fill).await;
    count
}

fn filters(count: i64) -> Vec<(&'static str, Filter)> {
    let after: ExecutionId = format!("run-{:08}", count / 2).parse().unwrap();
    let page = Filter {
        limit: 50,
        after: Some(after),
        ..Filter::default()
    };
    let of_status = |status| Filter {
        status: vec![status],
        ..page.clone()
    };
    vec![
        ("all", page.clone()),
        ("succeeded", of_status(ExecutionStatus::Succeeded)),
        ("failed", of_status(ExecutionStatus::Failed)),
        (
            "failed or blocked",
            Filter {
                status: vec![ExecutionStatus::Failed, ExecutionStatus::Blocked],
                ..page.clone()
            },
        ),
        (
            "of a handler",
            Filter {
                handler: Some("rare".to_owned()),
                ..page.clone()
            },
        ),
        (
            "of a queue",
            Filter {
                queue: Some("mail".to_owned()),
                ..page.clone()
            },
        ),
        (
            "with a prefix",
            Filter {
                prefix: Some(format!("run-{:05}", count / 2000)),
                after: None,
                ..page
            },
        ),
    ]
}

#[tokio::test]
async fn a_page_is_read_by_index() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    drop(open(&url).await);
    let count = filled(&url).await;
    let admin = client(&url).await.unwrap();
    reset_counts(&admin).await;
    let store = open(&url).await;
    for (what, filter) in filters(count) {
        let mut times = Vec::new();
        for _ in 0..5 {
            let begun = Instant::now();
            let page = store.list(filter.clone()).await.unwrap();
            times.push(begun.elapsed());
            assert!(
                !page.is_empty() && page.len() <= 50,
                "{what}: {}",
                page.len()
            );
        }
        times.sort();
        println!("{what}: {:?} of {count}", times[2]);
        assert!(times[2] < Duration::from_millis(200), "{what}: {times:?}");
    }
    // 35 pages of 50.
    drop(store);
    let read = rows_read(&admin, "executions").await;
    assert!(read < 10_000, "{read} rows were read");
}

/// Forgets what the server has counted so far.
async fn reset_counts(admin: &Client) {
    until_alone(admin).await;
    admin.batch_execute("SELECT pg_stat_reset()").await.unwrap();
}

/// Number of rows of a table that were read since the counts were reset, all of them by index. Connections report what they
/// have read when they end, so those of stores have to be dropped.
async fn rows_read(admin: &Client, table: &str) -> i64 {
    until_alone(admin).await;
    let read = "SELECT seq_scan, coalesce(idx_scan, 0), coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = \
                $1::text::name";
    let row = admin.query_one(read, &[&table]).await.unwrap();
    let (scans, searches): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(scans, 0, "sequential scan of {table}");
    assert!(searches > 0, "{table} was not read");
    row.get(2)
}

async fn until_alone(admin: &Client) {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND \
                  backend_type = 'client backend'";
    until("the other connections have ended", async || {
        let row = admin.query_one(others, &[]).await.unwrap();
        row.get::<_, i64>(0) == 0
    })
    .await;
}

/// Lists executions in pages of ten. Returns how many there are.
async fn count_listed(store: &PostgresStore, labels: &[(&str, &str)]) -> usize {
    let labels = labels.iter();
    let labels = labels.fold(Labels::new(), |labels, (key, value)| {
        labels.with(*key, *value).unwrap()
    });
    let mut filter = Filter {
        labels,
        limit: 10,
        ..Filter::default()
    };
    let mut count = 0;
    loop {
        let page = store.list(filter.clone()).await.unwrap();
        count += page.len();
        match page.last() {
            Some(last) => filter.after = Some(last.id.clone()),
            None => return count,
        }
    }
}

#[tokio::test]
async fn a_filter_by_label_reads_only_executions_with_the_label() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    drop(open(&url).await);
    let count = filled(&url).await;
    let label = "WITH labelled AS (UPDATE durable.executions SET labels = CASE WHEN key % 1000 = 0 THEN \
                 '{\"env\":\"prod\",\"tenant\":\"acme\"}' ELSE '{\"env\":\"prod\"}' END RETURNING key, id) INSERT INTO durable.labels \
                 SELECT 'env', 'prod', id, key FROM labelled UNION ALL SELECT 'tenant', 'acme', id, key FROM labelled WHERE \
                 key % 1000 = 0; ANALYZE durable.executions; ANALYZE durable.labels";
    sql(&url, label).await;
    let admin = client(&url).await.unwrap();
    reset_counts(&admin).await;
    let store = open(&url).await;
    let acme = usize::try_from(count / 1000).unwrap();
    assert_eq!(count_listed(&store, &[("tenant", "acme")]).await, acme);
    let all_labels = [("tenant", "acme"), ("zone", "eu")];
    assert_eq!(count_listed(&store, &all_labels).await, 0);
    drop(store);
    for table in ["executions", "labels"] {
        let read = rows_read(&admin, table).await;
        println!("{table}: {read} rows of {count}");
        // Each page reads its executions, and at most once more to find them.
        assert!(read <= 3 * count / 1000 + 100, "{table}: {read} rows");
    }
}

#[tokio::test]
async fn the_newest_and_counts_are_read_by_index() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    drop(open(&url).await);
    let count = filled(&url).await;
    // Index-only scans need a map of visible pages.
    sql(&url, "VACUUM durable.executions").await;
    let admin = client(&url).await.unwrap();
    reset_counts(&admin).await;
    let store = open(&url).await;
    for (what, filter) in filters(count).into_iter().take(5) {
        let filter = Filter {
            after: None,
            order: Order::Newest { after: None },
            ..filter
        };
        let begun = Instant::now();
        let page = store.list(filter.clone()).await.unwrap();
        println!("newest of {what}: {:?} of {count}", begun.elapsed());
        assert!(
            !page.is_empty() && page.len() <= 50,
            "{what}: {}",
            page.len()
        );
        assert!(
            page.windows(2)
                .all(|pair| pair[0].created_at > pair[1].created_at),
            "{what}"
        );
        let last = page.last().unwrap();
        let after = Some((last.created_at, last.id.clone()));
        let order = Order::Newest { after };
        let next = store.list(Filter { order, ..filter }).await.unwrap();
        assert!(
            next.iter()
                .all(|execution| execution.created_at < last.created_at),
            "{what}"
        );
    }
    let begun = Instant::now();
    let counts = store.counts(1000).await.unwrap();
    println!("counts: {:?}", begun.elapsed());
    let failed = counts
        .counts
        .iter()
        .filter(|group| group.status == ExecutionStatus::Failed);
    let failed: Vec<_> = failed
        .map(|group| (group.executions, group.complete))
        .collect();
    assert_eq!(failed, [(u64::try_from(count / 5000).unwrap(), true)]);
    assert!(!counts.complete && counts.total() <= 1000, "{counts:?}");
    drop(store);
    let read = rows_read(&admin, "executions").await;
    assert!(read < 10_000, "{read} rows were read");
}

/// Every page of the command reads its rows by index, whatever it selects.
#[tokio::test]
async fn the_command_lists_by_index() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    drop(open(&url).await);
    let count = filled(&url).await;
    let admin = client(&url).await.unwrap();
    let middle = format!("run-{:08}", count / 2);
    let prefix = format!("run-{:05}", count / 2000);
    for words in [
        &["ls"][..],
        &["ls", "--json"],
        &["ls", "--newest"],
        &["ls", "--after", &middle],
        &["ls", "--status", "failed"],
        &["ls", "--status", "failed", "--newest"],
        &["ls", "--handler", "rare"],
        &["ls", "--handler", "rare", "--newest"],
        &["ls", "--queue", "mail"],
        &["ls", "--prefix", &prefix],
    ] {
        reset_counts(&admin).await;
        let listed = run(&url, words).await.unwrap();
        let lines = listed.lines().count();
        let read = rows_read(&admin, "executions").await;
        println!("{words:?}: {lines} lines, {read} rows of {count}");
        // A page has a hundred executions; each is read once, and at most once more to find it.
        assert!(read <= 300, "{words:?}: {read} rows were read");
    }
}
