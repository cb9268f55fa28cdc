//! Opens the database at a path: creates or checks the file, migrates it and configures durability.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use durable_core::store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{Fault, corrupt, unusable};
use crate::log;
use crate::owner::{self, Owner};
use crate::schema::{self, MIGRATIONS};

/// Time to wait for the lock of another process.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Files up to this size, in bytes, are checked whenever they are opened: that takes milliseconds.
const ALWAYS_CHECKED: u64 = 8 << 20;
/// Files up to this size, in bytes, are checked if an earlier process crashed.
const CHECKED_AFTER_CRASH: u64 = 256 << 20;

/// Opened database with the owner registered for it.
pub(crate) struct Opened {
    pub(crate) conn: Connection,
    /// Canonical path, so that every process that opens the file derives the same names from it.
    pub(crate) path: PathBuf,
    pub(crate) owner: Owner,
}

/// Opens the store at `given`, creating the file if there is none.
pub(crate) fn open(given: &Path) -> Result<Opened, StoreError> {
    let path = locate(given)?;
    let at = |fault: Fault| fault.at(&path);
    let conn = connect(&path).map_err(at)?;
    if conn.is_readonly("main").map_err(|e| at(e.into()))? {
        return Err(unusable(
            &path,
            "the file is read-only; give this process permission to write",
        ));
    }
    schema::version(&conn, &path, MIGRATIONS.len()).map_err(at)?;
    configure(&conn, &path).map_err(at)?;
    let (owner, unclean) = join(&conn, &path).map_err(at)?;
    check(&conn, &path, unclean).map_err(at)?;
    conn.set_prepared_statement_cache_capacity(32);
    Ok(Opened { conn, path, owner })
}

/// Opens a connection with the settings shared by readers and the writer.
pub(crate) fn connect(path: &Path) -> Result<Connection, Fault> {
    // Without SQLITE_OPEN_URI, since a path must not be parsed as a URI. Without SQLite's mutex, since
    // each connection is used by one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    // Keeps query plans stable: otherwise SQLite plans a statement again when its parameters change.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(conn)
}

/// Makes sure that the file exists and returns its canonical path.
fn locate(given: &Path) -> Result<PathBuf, StoreError> {
    if given.as_os_str() == ":memory:" || given.as_os_str().is_empty() {
        let advice = "it does not name a file; use a `MemoryStore` for executions that need not survive the process";
        return Err(unusable(given, advice));
    }
    // Read before the size of the file: a process that is creating the store writes the first page
    // before its log grows, so in this order it is never mistaken for a lost database.
    let log = log_of(&std::fs::canonicalize(given).unwrap_or_else(|_| given.to_owned()));
    match std::fs::metadata(given) {
        Ok(found) if found.is_dir() => {
            return Err(unusable(
                given,
                "it is a directory; give the path of a file in it",
            ));
        }
        Ok(found) if !found.is_file() => return Err(unusable(given, "it is not a regular file")),
        Ok(found) if found.len() > 0 => {}
        found => {
            refuse_orphaned_log(given, log)?;
            if found.is_err() {
                create(given)?;
            }
        }
    }
    std::fs::canonicalize(given).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => unusable(given, "it is a link to a file that does not exist"),
        _ => unusable(given, error),
    })
}

fn log_of(path: &Path) -> Option<(PathBuf, u64)> {
    let log = log::path_of(path);
    let size = std::fs::metadata(&log).ok()?.len();
    Some((log, size))
}

/// Refuses an empty or missing database that has a log: SQLite would delete the log, and with it
/// acknowledged writes.
fn refuse_orphaned_log(given: &Path, log: Option<(PathBuf, u64)>) -> Result<(), StoreError> {
    match log {
        Some((log, size)) if size > 0 => Err(corrupt(
            given,
            format_args!(
                "the file is empty or gone, but its log `{}` is not",
                log.display()
            ),
        )),
        _ => Ok(()),
    }
}

fn create(given: &Path) -> Result<(), StoreError> {
    let directory = match given.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let created = OpenOptions::new().write(true).create_new(true).open(given);
    match created {
        Ok(_) => sync_directory(directory).map_err(|error| unusable(given, error)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(unusable(
            given,
            format_args!(
                "the directory `{}` does not exist; create it first",
                directory.display()
            ),
        )),
        Err(error) => Err(unusable(
            given,
            format_args!(
                "cannot create a file in `{}` ({error}); this process needs permission to write there",
                directory.display()
            ),
        )),
    }
}

/// Syncs a directory, so that a new file in it survives a power failure.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) {
        std::fs::File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Sets the pragmas that make an acknowledged commit survive power loss, and verifies them.
fn configure(conn: &Connection, path: &Path) -> Result<(), Fault> {
    // Takes effect on new files only. A step touches one page, and each concurrent execution touches
    // its own, so small pages mean fewer bytes written.
    conn.pragma_update(None, "page_size", log::PAGE_SIZE)?;
    let journal = retry_while_busy(|| {
        conn.query_row("PRAGMA journal_mode = WAL", [], |row| {
            row.get::<_, String>(0)
        })
    })?;
    if !journal.eq_ignore_ascii_case("wal") {
        let what = format_args!(
            "its file system does not support a SQLite write-ahead log (journal mode stays `{journal}`); \
             use a local disk"
        );
        return Err(unusable(path, what).into());
    }
    // The last two matter on macOS only, where a plain fsync does not flush the drive's cache.
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;",
    )?;
    conn.pragma_update(None, "wal_autocheckpoint", log::PAGES)?;
    let synchronous: i64 = conn.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    if synchronous < 2 {
        let what = format_args!(
            "SQLite does not flush commits to the disk (synchronous stays {synchronous} instead of 2); \
             use a build of SQLite that supports `PRAGMA synchronous = FULL`"
        );
        return Err(unusable(path, what).into());
    }
    Ok(())
}

/// Retries while the database is busy. SQLite ignores the busy timeout when the journal mode changes.
fn retry_while_busy<T>(mut work: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let begun = Instant::now();
    loop {
        match work() {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && begun.elapsed() < BUSY_TIMEOUT =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

/// Migrates the schema, removes the files of dead owners and registers a new one. Returns whether an
/// earlier owner died without removing its file.
fn join(conn: &Connection, path: &Path) -> Result<(Owner, bool), Fault> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let joined = schema::migrate(conn, path, MIGRATIONS).and_then(|()| {
        let unclean = owner::sweep(path).map_err(|error| unusable(path, error))?;
        let owner = Owner::register(path).map_err(|error| {
            let what = format_args!("cannot create a lock file beside it ({error})");
            unusable(path, what)
        })?;
        Ok((owner, unclean))
    });
    match joined {
        Ok(joined) => conn
            .execute_batch("COMMIT")
            .map(|()| joined)
            .map_err(Fault::from),
        Err(fault) => {
            conn.execute_batch("ROLLBACK")?;
            Err(fault)
        }
    }
}

/// Checks the file for damage if it is small, or if an earlier process crashed.
fn check(conn: &Connection, path: &Path, unclean: bool) -> Result<(), Fault> {
    let size = std::fs::metadata(path).map_or(0, |found| found.len());
    let limit = if unclean {
        CHECKED_AFTER_CRASH
    } else {
        ALWAYS_CHECKED
    };
    if size > limit {
        return Ok(());
    }
    let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    Err(corrupt(path, found).into())
}
