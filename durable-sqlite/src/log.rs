//! Preallocation of the write-ahead log.
//!
//! A commit that makes the log longer has to store its new length too, so it takes about half as long again as one that
//! overwrites a part of the log. SQLite lets the log grow with each commit until it is long enough to be reused from its
//! start. Here it gets that length at once, filled with zeros: SQLite reads a log up to the first frame without
//! a valid checksum, and overwrites what follows.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Size of a page of the database, in bytes.
pub(crate) const PAGE_SIZE: u32 = 1024;

/// Pages after which the log is written to the database file and reused. Concurrent executions rewrite a page many times
/// before it is full, and a log of 4 MiB keeps most of these rewrites out of the database file.
pub(crate) const PAGES: u32 = 4000;

/// Length of the log when it is reused: a header, then each page with its own header.
const LENGTH: u64 = 32 + PAGES as u64 * (24 + PAGE_SIZE as u64);

/// Returns the path of the log of a database.
pub(crate) fn path_of(database: &Path) -> PathBuf {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Gives the log of a database its full length. Must be called within a write transaction that has not written yet, so
/// that nobody else writes to the log. If that fails, the log is as long as before.
pub(crate) fn preallocate(database: &Path) -> io::Result<()> {
    let mut log = OpenOptions::new().write(true).open(path_of(database))?;
    let length = log.seek(SeekFrom::End(0))?;
    if length >= LENGTH {
        return Ok(());
    }
    fill(&mut log, LENGTH - length).inspect_err(|_| {
        // The error that is reported says why there was no space.
        let _ = log.set_len(length);
    })
}

fn fill(log: &mut File, mut missing: u64) -> io::Result<()> {
    let zeros = [0; 64 * 1024];
    while missing > 0 {
        let count = missing.min(zeros.len() as u64);
        log.write_all(&zeros[..count as usize])?;
        missing -= count;
    }
    log.sync_all()
}
