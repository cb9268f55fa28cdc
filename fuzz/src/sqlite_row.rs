//! Rows of the SQLite store with arbitrary columns.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use durable::sqlite::SqliteStore;
use durable::store::{CheckpointStore, ExecutionStore, Fence, NewExecution, StoreErrorKind};
use durable::{Payload, Timestamp};
use durable_core::store::Checksum;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Columns that a record is decoded from, in the order that their checksum has, and the checksum.
const COLUMNS: &str = "place, id, parent, kind, name, occurrence, label, ord, status, attempt, interruptions, started_at, \
    ended_at, due_at, value_type, codec, data, error, secret, source, handle, deadline, heartbeat, extent, fingerprint, \
    state_type, checksum";

/// A store with one leased execution, and a second connection to its file.
struct Bench {
    store: SqliteStore,
    fence: Fence,
    connection: Connection,
    runtime: Runtime,
    _folder: TempDir,
}

thread_local! {
    static BENCH: Bench = Bench::new();
}

impl Bench {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.db");
        let (store, fence) = runtime.block_on(async {
            let store = SqliteStore::open(&path).await.unwrap();
            let (id, now) = ("a".parse().unwrap(), Timestamp::from_millis(0));
            let new = NewExecution::new("a".parse().unwrap(), "f", Payload::json("null"), now);
            store.start(new).await.unwrap();
            let lease = store
                .claim(&id, now, Duration::from_secs(1 << 30))
                .await
                .unwrap();
            (store, lease.fence)
        });
        let connection = Connection::open(&path).unwrap();
        connection
            .pragma_update(None, "synchronous", "OFF")
            .unwrap();
        Self {
            store,
            fence,
            connection,
            runtime,
            _folder: folder,
        }
    }
}

/// Loads a row whose columns are partly arbitrary, with a checksum that may match. It is decoded or reported as corrupt.
pub fn sqlite_row(data: &[u8]) {
    let Ok(columns) = columns(&mut Unstructured::new(data)) else {
        return;
    };
    BENCH.with(|bench| {
        bench
            .connection
            .execute("DELETE FROM operations", [])
            .unwrap();
        let marks = vec!["?"; columns.len()].join(", ");
        let insert = format!("INSERT INTO operations ({COLUMNS}) VALUES ({marks})");
        // The table refuses some types.
        if bench
            .connection
            .execute(&insert, params_from_iter(&columns))
            .is_err()
        {
            return;
        }
        match bench.runtime.block_on(bench.store.load(&bench.fence, 0)) {
            Ok(page) => assert!(page.records.len() <= 1),
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}"),
        }
    });
}

/// Returns the columns of a valid row, some of them replaced.
fn columns(input: &mut Unstructured<'_>) -> arbitrary::Result<Vec<Value>> {
    let text = |text: &str| Value::Text(text.to_owned());
    let mut columns = vec![
        Value::Integer(1 << 32 | 1),
        Value::Blob(vec![7; 16]),
        Value::Null,
        text("step"),
        text("load"),
        Value::Null,
        Value::Null,
        Value::Integer(1),
        text("succeeded"),
        Value::Integer(1),
        Value::Integer(0),
        Value::Integer(0),
    ];
    columns.resize(26, Value::Null);
    columns[18] = Value::Integer(0);
    columns[19] = text("src/main.rs:7");
    for _ in 0..input.int_in_range(0..=6)? {
        // The key stays, so that the row belongs to the execution.
        let at = input.int_in_range(1..=25)?;
        columns[at] = value(input)?;
    }
    let checksum = match Arbitrary::arbitrary(input)? {
        Some(wrong) => Value::Integer(wrong),
        None => Value::Integer(checksum(&columns).cast_signed().into()),
    };
    columns.push(checksum);
    Ok(columns)
}

fn value(input: &mut Unstructured<'_>) -> arbitrary::Result<Value> {
    Ok(match input.int_in_range(0..=4)? {
        0 => Value::Null,
        1 => Value::Integer(i64::arbitrary(input)?),
        2 => Value::Integer(i8::arbitrary(input)?.into()),
        3 => Value::Text(String::arbitrary(input)?),
        _ => Value::Blob(Vec::arbitrary(input)?),
    })
}

fn checksum(columns: &[Value]) -> u32 {
    let mut sum = Checksum::default();
    for (number, column) in (0..).zip(columns) {
        match column {
            Value::Null => {}
            Value::Integer(value) => sum.integer(number, *value),
            Value::Real(value) => sum.integer(number, value.to_bits().cast_signed()),
            Value::Text(value) => sum.bytes(number, value.as_bytes()),
            Value::Blob(value) => sum.bytes(number, value),
        }
    }
    sum.finish()
}
