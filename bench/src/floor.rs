//! Floors: the same work without the library.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use durable::prelude::BoxError;
use rusqlite::Connection;

use crate::row::Row;

/// Returns the length of an encoded value.
pub fn value_len() -> Result<usize, serde_json::Error> {
    Ok(serde_json::to_vec(&Row::new(0))?.len())
}

/// Looks up and decodes `n` values in a map with text keys.
pub fn look_up(n: u32) -> Result<Duration, serde_json::Error> {
    let mut map = HashMap::new();
    for i in 0..n {
        map.insert(format!("load[{i}]"), serde_json::to_vec(&Row::new(i))?);
    }
    let start = Instant::now();
    let mut total = 0;
    for i in 0..n {
        if let Some(bytes) = map.get(&format!("load[{i}]")) {
            let row: Row = serde_json::from_slice(bytes)?;
            total += u64::from(row.rows);
        }
    }
    let took = start.elapsed();
    std::hint::black_box(total);
    Ok(took)
}

/// Decodes `n` values.
pub fn decode(n: u32) -> Result<Duration, serde_json::Error> {
    let encoded = (0..n).map(|i| serde_json::to_vec(&Row::new(i)));
    let encoded: Vec<_> = encoded.collect::<Result<_, _>>()?;
    let start = Instant::now();
    let mut total = 0;
    for bytes in &encoded {
        let row: Row = serde_json::from_slice(bytes)?;
        total += u64::from(row.rows);
    }
    let took = start.elapsed();
    std::hint::black_box(total);
    Ok(took)
}

/// Creates, encodes and decodes `n` values, as a step in memory does.
pub fn encode_and_decode(n: u32) -> Result<Vec<Duration>, serde_json::Error> {
    let mut total = 0;
    let mut laps = Vec::new();
    for i in 0..n {
        let start = Instant::now();
        let bytes = serde_json::to_vec(&Row::new(i))?;
        let row: Row = serde_json::from_slice(&bytes)?;
        total += u64::from(row.rows);
        laps.push(start.elapsed());
    }
    std::hint::black_box(total);
    Ok(laps)
}

/// Appends `n` frames of `size` bytes to a file beside `path` and syncs each one before the next.
pub fn append(path: &Path, size: usize, n: u32) -> io::Result<Vec<Duration>> {
    let path = path.with_extension("append-floor");
    let frame = vec![b'x'; size];
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    let laps = (0..n)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&frame)?;
            file.sync_data()?;
            Ok(start.elapsed())
        })
        .collect();
    drop(file);
    std::fs::remove_file(&path)?;
    laps
}

/// SQLite file with one narrow table and the settings of the store.
pub struct SqliteFloor {
    conn: Connection,
    path: std::path::PathBuf,
    next: i64,
}

impl SqliteFloor {
    /// Creates the file beside `path`.
    pub fn open(path: &Path) -> Result<Self, BoxError> {
        let path = path.with_extension("sqlite-floor");
        let conn = Connection::open(&path)?;
        conn.execute_batch(
            "PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             CREATE TABLE IF NOT EXISTS steps (place INTEGER PRIMARY KEY, name TEXT NOT NULL, data BLOB NOT NULL) STRICT;",
        )?;
        let next = conn.query_row("SELECT coalesce(max(place), 0) FROM steps", [], |row| {
            row.get(0)
        })?;
        Ok(Self { conn, path, next })
    }

    /// Inserts `n` rows of `size` bytes and commits each one.
    pub fn insert(&mut self, size: usize, n: u32) -> Result<Vec<Duration>, BoxError> {
        let data = vec![b'x'; size];
        let mut insert = self
            .conn
            .prepare("INSERT INTO steps VALUES (?1, 'load', ?2)")?;
        let mut laps = Vec::new();
        for _ in 0..n {
            self.next += 1;
            let start = Instant::now();
            insert.execute((self.next, &data))?;
            laps.push(start.elapsed());
        }
        Ok(laps)
    }

    /// Removes the file.
    pub fn close(self) -> Result<(), BoxError> {
        self.conn.close().map_err(|(_, error)| error)?;
        std::fs::remove_file(self.path)?;
        Ok(())
    }
}

/// Reads all columns of the newest `n` records in a file of the store, and copies their texts and blobs.
pub fn bulk_read(path: &Path, n: u32) -> Result<Duration, BoxError> {
    let conn = Connection::open(path)?;
    let newest =
        "SELECT * FROM (SELECT * FROM operations ORDER BY place DESC LIMIT ?1) ORDER BY place";
    let mut select = conn.prepare(newest)?;
    let columns = select.column_count();
    let start = Instant::now();
    let mut rows = select.query([n])?;
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|column| row.get::<_, rusqlite::types::Value>(column));
        read.push(values.collect::<Result<Vec<_>, _>>()?);
    }
    let took = start.elapsed();
    if read.len() != n as usize {
        return Err(format!("read {} of {n} records", read.len()).into());
    }
    Ok(took)
}
