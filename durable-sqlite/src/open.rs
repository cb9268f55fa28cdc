//! From a path to a database that is known to be sound, ours, current and safe against power loss.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use durable_core::store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{Fault, corrupt, unusable};
use crate::owner::{self, Owner};
use crate::schema::{self, MIGRATIONS};

/// How long a lock of another process is waited for.
pub(crate) const BUSY: Duration = Duration::from_secs(5);

/// Up to this size a file is checked at every open: it takes milliseconds.
const ALWAYS_CHECKED: u64 = 8 << 20;
/// Up to this size it is checked after a process did not end well.
const CHECKED_AFTER_CRASH: u64 = 256 << 20;

pub(crate) struct Opened {
    pub(crate) conn: Connection,
    /// Absolute and free of links, so that all who open the file agree on its name.
    pub(crate) path: PathBuf,
    pub(crate) owner: Owner,
}

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
    let (owner, unclean) = take_part(&conn, &path).map_err(at)?;
    check(&conn, &path, unclean).map_err(at)?;
    conn.set_prepared_statement_cache_capacity(32);
    Ok(Opened { conn, path, owner })
}

/// A connection with the settings that readers and the writer share.
pub(crate) fn connect(path: &Path) -> Result<Connection, Fault> {
    // Not SQLITE_OPEN_URI: a path is a path. No mutex: each connection is used by one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    // Without it statements are planned anew whenever a parameter changes, which is at every step.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(conn)
}

/// Makes sure that there is a file, and gives its real name.
fn locate(given: &Path) -> Result<PathBuf, StoreError> {
    if given.as_os_str() == ":memory:" || given.as_os_str().is_empty() {
        let advice = "it names no file; what may be lost belongs into a `MemoryStore`";
        return Err(unusable(given, advice));
    }
    // Looked at before the file: a database grows its log only after it has its first page.
    let log = log_of(&std::fs::canonicalize(given).unwrap_or_else(|_| given.to_owned()));
    match std::fs::metadata(given) {
        Ok(found) if found.is_dir() => {
            return Err(unusable(
                given,
                "it is a directory; give the path of a file in it",
            ));
        }
        Ok(found) if !found.is_file() => return Err(unusable(given, "it is no regular file")),
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
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let size = std::fs::metadata(&log).ok()?.len();
    Some((log.into(), size))
}

/// SQLite would delete the log of an empty or missing file, and with it what was acknowledged.
fn refuse_orphaned_log(given: &Path, log: Option<(PathBuf, u64)>) -> Result<(), StoreError> {
    match log {
        Some((log, size)) if size > 0 => Err(corrupt(
            given,
            format_args!(
                "it is empty or gone, but its log `{}` is not",
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
    let made = OpenOptions::new().write(true).create_new(true).open(given);
    match made {
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
                "no file can be created in `{}` ({error}); this process needs permission to write there",
                directory.display()
            ),
        )),
    }
}

/// A new file survives a power failure once its directory does.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) {
        std::fs::File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Asks for what makes an acknowledged commit survive power loss, and reads back what is in force.
fn configure(conn: &Connection, path: &Path) -> Result<(), Fault> {
    // Only a new file takes the page size. A step touches one page, and concurrent executions each
    // touch one of their own, so small pages write less.
    conn.pragma_update(None, "page_size", 1024)?;
    let journal = patiently(|| {
        conn.query_row("PRAGMA journal_mode = WAL", [], |row| {
            row.get::<_, String>(0)
        })
    })?;
    if !journal.eq_ignore_ascii_case("wal") {
        let what = format_args!(
            "its file system does not let SQLite keep a write-ahead log (journal mode stays `{journal}`); \
             use a local disk"
        );
        return Err(unusable(path, what).into());
    }
    // The last two matter on macOS only, where a plain fsync stops at the drive's cache.
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;",
    )?;
    // Pages of concurrent executions are rewritten many times before they are full: 4 MiB of log
    // spare the database most of that.
    conn.pragma_update(None, "wal_autocheckpoint", 4000)?;
    let synchronous: i64 = conn.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    if synchronous < 2 {
        let what = format_args!(
            "SQLite refuses to write through to the disk (synchronous = {synchronous})"
        );
        return Err(unusable(path, what).into());
    }
    Ok(())
}

/// Repeats what SQLite refuses at once instead of waiting: the change of the journal mode.
fn patiently<T>(mut work: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let begun = Instant::now();
    loop {
        match work() {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && begun.elapsed() < BUSY =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

/// Migrates, clears away what dead processes left behind, and registers this one.
fn take_part(conn: &Connection, path: &Path) -> Result<(Owner, bool), Fault> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let taken = schema::migrate(conn, path, MIGRATIONS).and_then(|()| {
        let unclean = owner::sweep(path).map_err(|error| unusable(path, error))?;
        let owner = Owner::register(path).map_err(|error| {
            let what = format_args!("no lock file can be kept beside it ({error})");
            unusable(path, what)
        })?;
        Ok((owner, unclean))
    });
    match taken {
        Ok(taken) => conn
            .execute_batch("COMMIT")
            .map(|()| taken)
            .map_err(Fault::from),
        Err(fault) => {
            conn.execute_batch("ROLLBACK")?;
            Err(fault)
        }
    }
}

/// Looks for damage where it is cheap or likely.
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
