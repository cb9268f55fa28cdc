//! Checksums: a flipped bit in a stored value is detected, and the error names the value.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at what it did not expect, and say why"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use durable_core::store::{
    AdminStore, Batch, CheckpointStore, ExecutionStore, ExecutionUpdate, ScheduleEntry,
    ScheduleStore, StoreError, StoreErrorKind,
};
use durable_core::{ErrorKind, OperationError, Status};
use durable_sqlite::SqliteStore;
use rusqlite::Connection;
use support::{id, json, leased, new, now, open, step};
use tempfile::{TempDir, tempdir};

const VALUE: &str = "{\"cents\":1999}";
const INPUT: &str = "{\"order\":4711}";
const OUTPUT: &str = "[\"paid\",1999]";
const ERROR: &str = "card was declined";
const FAILED: &str = "no stock is left";
const REPORT: &str = "the name is gone";
const FIRED: &str = "{\"every\":\"day\"}";

/// Creates a closed store with an execution `paid` that has an input, a step, a failed step and an output, one
/// `failed` that ended with an error, one `stuck` that is blocked, and a schedule.
async fn written_store() -> (TempDir, PathBuf) {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = open(&path).await;
    let mut new = new("paid");
    new.input = json(INPUT);
    store.start(new).await.unwrap();
    let lease = store.claim(&id("paid"), now(), support::TTL).await.unwrap();
    let (mut good, mut bad) = (step(1), step(2));
    good.payload = Some(json(VALUE));
    (bad.status, bad.payload) = (Status::Failed, None);
    bad.error = Some(OperationError::new("load[2]", ErrorKind::Failed, ERROR));
    let output = json(OUTPUT);
    let mut end = batch(ExecutionUpdate::Succeed { output });
    end.records = vec![good, bad];
    store.checkpoint(&lease.fence, end.into()).await.unwrap();

    let error = OperationError::new("etl", ErrorKind::Failed, FAILED);
    let report = REPORT.to_owned();
    for (name, update) in [
        ("failed", ExecutionUpdate::Fail { error }),
        ("stuck", ExecutionUpdate::Block { report }),
    ] {
        let lease = leased(&store, name).await;
        let end = Arc::new(batch(update));
        store.checkpoint(&lease.fence, end).await.unwrap();
    }
    let schedule = ScheduleEntry {
        name: id("daily"),
        plan: "{}".to_owned(),
        handler: "etl".to_owned(),
        input: json(FIRED),
        queue: None,
        next_at: None,
        last: None,
        paused: false,
        revision: 0,
    };
    store.put_schedule(schedule).await.unwrap();
    drop(store);
    (directory, path)
}

fn batch(update: ExecutionUpdate) -> Batch {
    Batch {
        id: 1,
        records: Vec::new(),
        children: Vec::new(),
        seen: 0,
        messages_after: None,
        execution: Some(update),
    }
}

/// Reads everything in the store, as text.
async fn read_all(store: &SqliteStore) -> Result<String, StoreError> {
    let mut all = String::new();
    for name in ["paid", "failed", "stuck"] {
        all += &format!("{:?}\n", WithValues(store.get(&id(name)).await?));
        for record in store.history(&id(name)).await? {
            let data = record.payload.as_ref().map(|payload| &payload.data);
            all += &format!("{record:?} {data:?}\n");
        }
    }
    let schedules = store.schedules(None).await?;
    Ok(all + &format!("{schedules:?} {:?}", schedules[0].input.data))
}

/// Shows an execution with the values that its own `Debug` leaves out.
struct WithValues(durable_core::store::Execution);

impl std::fmt::Debug for WithValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(execution) = self;
        let output = execution.output.as_ref().map(|output| &output.data);
        write!(f, "{execution:?} {:?} {output:?}", execution.input.data)
    }
}

/// Opens and reads a copy of the file with one bit flipped.
async fn read_with_flipped_bit(
    path: &Path,
    sound: &[u8],
    bit: usize,
) -> Result<String, StoreError> {
    let mut damaged = sound.to_vec();
    damaged[bit / 8] ^= 1 << (bit % 8);
    let copy = path.with_file_name("copy.db");
    fs::write(&copy, damaged).unwrap();
    read_all(&SqliteStore::open(&copy).await?).await
}

fn offsets(file: &[u8], text: &str) -> Vec<usize> {
    let windows = file.windows(text.len()).enumerate();
    let offsets = windows.filter(|(_, window)| *window == text.as_bytes());
    offsets.map(|(offset, _)| offset).collect()
}

/// Asserts that flipping any bit of a stored text leads to an error with these words.
async fn assert_detected(text: &str, words: &[&str]) {
    let (_directory, path) = written_store().await;
    let sound = fs::read(&path).unwrap();
    let offsets = offsets(&sound, text);
    let [offset] = offsets[..] else {
        unreachable!("{text} is stored at {offsets:?}");
    };
    for bit in offset * 8..(offset + text.len()) * 8 {
        let error = read_with_flipped_bit(&path, &sound, bit).await.unwrap_err();
        let message = error.to_string();
        assert_eq!(
            error.kind(),
            StoreErrorKind::Corrupt,
            "bit {bit}: {message}"
        );
        for word in words {
            assert!(
                message.contains(word),
                "bit {bit}: {word} is not in: {message}"
            );
        }
    }
}

#[tokio::test]
async fn every_flipped_bit_of_a_value_is_detected() {
    assert_detected(
        VALUE,
        &[
            "copy.db", "`load`", "record 1", "`paid`", "checksum", "backup",
        ],
    )
    .await;
}

#[tokio::test]
async fn every_flipped_bit_of_an_operations_error_is_detected() {
    // Some flips make the text invalid UTF-8, which is reported without mentioning the checksum.
    assert_detected(ERROR, &["copy.db", "`load`", "record 2", "`paid`"]).await;
}

#[tokio::test]
async fn every_flipped_bit_of_an_input_is_detected() {
    assert_detected(
        INPUT,
        &["copy.db", "execution `paid`", "`input`", "checksum"],
    )
    .await;
}

#[tokio::test]
async fn every_flipped_bit_of_an_output_is_detected() {
    assert_detected(
        OUTPUT,
        &["copy.db", "execution `paid`", "`output`", "checksum"],
    )
    .await;
}

#[tokio::test]
async fn every_flipped_bit_of_an_executions_error_or_report_is_detected() {
    assert_detected(FAILED, &["copy.db", "execution `failed`", "`error`"]).await;
    assert_detected(REPORT, &["copy.db", "execution `stuck`", "`report`"]).await;
}

#[tokio::test]
async fn every_flipped_bit_of_a_schedules_input_is_detected() {
    assert_detected(FIRED, &["copy.db", "schedule `daily`", "checksum"]).await;
}

#[tokio::test]
async fn no_flipped_bit_of_a_record_changes_a_read_value() {
    let (_directory, path) = written_store().await;
    let sound = fs::read(&path).unwrap();
    let expected = read_all(&open(&path).await).await.unwrap();
    // Covers both records, with the headers in which SQLite describes their columns.
    let (first, last) = (offsets(&sound, VALUE)[0], offsets(&sound, VALUE)[0] + 60);
    for bit in (first - 120) * 8..last * 8 {
        if let Ok(read) = read_with_flipped_bit(&path, &sound, bit).await {
            assert_eq!(read, expected, "bit {} of byte {}", bit % 8, bit / 8);
        }
    }
}

#[tokio::test]
async fn the_statement_in_the_error_accepts_the_stored_value() {
    let (_directory, path) = written_store().await;
    let conn = Connection::open(&path).unwrap();
    let change = "UPDATE operations SET data = CAST('{\"cents\":2999}' AS BLOB) WHERE name = 'load' AND data IS NOT NULL";
    assert_eq!(conn.execute(change, []).unwrap(), 1);
    let error = open(&path).await.history(&id("paid")).await.unwrap_err();
    let message = error.to_string();
    let (_, advice) = message.split_once("accept it with `").unwrap();
    let (update, _) = advice.split_once('`').unwrap();
    assert_eq!(conn.execute(update, []).unwrap(), 1, "{update}");
    let history = open(&path).await.history(&id("paid")).await.unwrap();
    let value = history[0].payload.as_ref().unwrap();
    assert_eq!(&value.data[..], b"{\"cents\":2999}");
}

#[tokio::test]
async fn rows_without_a_checksum_are_read_unverified() {
    let (_directory, path) = written_store().await;
    let expected = read_all(&open(&path).await).await.unwrap();
    let without = "UPDATE operations SET checksum = NULL;
        UPDATE executions SET input_checksum = NULL, output_checksum = NULL, error_checksum = NULL, report_checksum = NULL;
        UPDATE schedules SET checksum = NULL";
    Connection::open(&path)
        .unwrap()
        .execute_batch(without)
        .unwrap();
    assert_eq!(read_all(&open(&path).await).await.unwrap(), expected);
}
