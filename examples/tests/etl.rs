//! Tests of the load.

use std::path::PathBuf;

use durable::testing::crash_everywhere;
use rusqlite::Connection;

use super::*;

#[tokio::test]
async fn survives_a_crash_at_any_point() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let source = path("source.csv");
    let all = include_str!("../data/birdstrikes.csv");
    let rows: String = all.split_inclusive('\n').take(12).collect();
    std::fs::write(&source, rows).unwrap();
    let target = path("target.db");
    let command_line = [
        "etl",
        "--source",
        &source,
        "--target",
        &target,
        "--report",
        &path("report"),
        "--batch",
        "4",
        "--store",
        "memory:",
    ]
    .map(str::to_owned);
    let resolve = move || Args::parse_from(&command_line).resolve().unwrap();
    let (_, job, _) = resolve();
    let target = PathBuf::from(target);
    let crashes = crash_everywhere(etl, move |_| resolve().0, job)
        .comparing(move |_| rows_in(&target))
        .await
        .unwrap();
    assert!(crashes.count() >= 24, "{crashes:?}");
}

fn rows_in(target: &PathBuf) -> i64 {
    let connection = Connection::open(target).unwrap();
    let rows = connection.query_row("select count(*) from bird_strikes", [], |row| row.get(0));
    rows.unwrap()
}
