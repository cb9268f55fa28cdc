//! Listings read pages by index in a large table. `DURABLE_LISTED` sets the number of executions.

use std::time::{Duration, Instant};

use durable_core::store::{AdminStore, ExecutionStatus, Filter, Order};
use durable_core::{ExecutionId, Labels};
use durable_postgres::PostgresStore;
use durable_postgres_tests::{Server, client};

use crate::support::{open, sql};

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
    let Some(server) = Server::start(&[("fsync", "off")]).await else {
        return;
    };
    let url = server.database().await;
    // A connection reports its statistics when it ends. Those of the setup must not count.
    drop(open(&url).await);
    let count = filled(&url).await;
    let store = open(&url).await;
    let admin = client(&url).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    admin.batch_execute("SELECT pg_stat_reset()").await.unwrap();
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
    // Statistics of the server: no sequential scan, and few rows fetched for 35 pages of 50.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let read = "SELECT seq_scan, coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = 'executions'";
    let row = admin.query_one(read, &[]).await.unwrap();
    let (scans, fetched): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(scans, 0, "sequential scan of the table");
    assert!(fetched < 10_000, "{fetched} rows were fetched");
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
    let Some(server) = Server::start(&[("fsync", "off")]).await else {
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
    let store = open(&url).await;
    let admin = client(&url).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    admin.batch_execute("SELECT pg_stat_reset()").await.unwrap();
    let acme = usize::try_from(count / 1000).unwrap();
    assert_eq!(count_listed(&store, &[("tenant", "acme")]).await, acme);
    let all_labels = [("tenant", "acme"), ("zone", "eu")];
    assert_eq!(count_listed(&store, &all_labels).await, 0);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let read = "SELECT relname::text, seq_scan, coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname IN \
                ('executions', 'labels')";
    for row in admin.query(read, &[]).await.unwrap() {
        let (table, scans, fetched): (String, i64, i64) = (row.get(0), row.get(1), row.get(2));
        println!("{table}: {scans} scans, {fetched} rows of {count}");
        assert_eq!(scans, 0, "sequential scan of {table}");
        // Each page reads its executions, and at most once more to find them.
        assert!(fetched <= 3 * count / 1000 + 100, "{table}: {fetched} rows");
    }
}

#[tokio::test]
async fn the_newest_and_counts_are_read_by_index() {
    let Some(server) = Server::start(&[("fsync", "off")]).await else {
        return;
    };
    let url = server.database().await;
    drop(open(&url).await);
    let count = filled(&url).await;
    // Index-only scans need a map of visible pages.
    sql(&url, "VACUUM durable.executions").await;
    let store = open(&url).await;
    let admin = client(&url).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    admin.batch_execute("SELECT pg_stat_reset()").await.unwrap();
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
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let read = "SELECT seq_scan, coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = 'executions'";
    let row = admin.query_one(read, &[]).await.unwrap();
    let (scans, fetched): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(scans, 0, "sequential scan of the table");
    assert!(fetched < 10_000, "{fetched} rows were fetched");
}
