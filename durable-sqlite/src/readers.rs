//! Read-only connections, used on threads for blocking work. A small read takes less time than it takes to hand it to
//! such a thread, so it runs on the thread of the caller.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use durable_core::store::{StoreError, StoreErrorKind};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::error::Fault;
use crate::open::{self, BUSY_TIMEOUT};
use crate::pace::Pace;

/// Maximum number of connections, each of which keeps a thread busy while it reads. Opening one takes longer than most
/// reads, so that it is better to wait for one.
const MAX_CONNECTIONS: usize = 8;

/// Longest average time of a small read that may block the thread of a task.
const MAX_INLINE_READ: Duration = Duration::from_micros(200);

/// Pool of read-only connections.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    /// Time that a small read takes.
    pace: Pace,
    reads: AtomicU64,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Arc<Self> {
        Self::with_limit(path, MAX_INLINE_READ)
    }

    fn with_limit(path: PathBuf, max_inline_read: Duration) -> Arc<Self> {
        Arc::new(Self {
            path,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            pace: Pace::new(max_inline_read),
            reads: AtomicU64::new(0),
        })
    }

    /// Returns the number of reads so far.
    pub(crate) fn count(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Runs `work` with a connection on a thread for blocking work.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection, &Path) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let readers = Arc::clone(self);
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let reading = tokio::task::spawn_blocking(move || {
            // Held by the thread, which goes on reading when the caller stops waiting.
            let _permit = permit;
            let at = |fault: Fault| fault.at(&readers.path);
            let conn = readers.take().map_or_else(|| readers.open(), Ok);
            readers.run(conn.map_err(at)?, work).map_err(at)
        });
        reading.await.unwrap_or_else(|lost| {
            let message = format!("a read of `{}` did not finish: {lost}", self.path.display());
            Err(StoreError::new(StoreErrorKind::Unavailable, message))
        })
    }

    /// Reads a few values of a row: with `small` on this thread, if that does not block for long. If `small` finds
    /// nothing that it may read there, or fails, reads with `any`.
    pub(crate) async fn read_row<T: Send + 'static>(
        self: &Arc<Self>,
        small: impl FnOnce(&Connection, &Path) -> Result<Option<T>, Fault>,
        any: impl FnOnce(&Connection, &Path) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        if let Some(found) = self.read_inline(small) {
            return Ok(found);
        }
        let begun = Instant::now();
        let found = self.read(any).await;
        // Otherwise a single slow read would send all later ones to a thread.
        self.pace.record(begun.elapsed());
        found
    }

    fn read_inline<T>(
        &self,
        small: impl FnOnce(&Connection, &Path) -> Result<Option<T>, Fault>,
    ) -> Option<T> {
        if !self.pace.is_quick() {
            return None;
        }
        // Opening another connection would take longer than the read.
        let conn = self.take()?;
        let begun = Instant::now();
        conn.busy_timeout(Duration::ZERO).ok()?;
        let found = self.run(conn, |conn, path| {
            let found = small(conn, path);
            conn.busy_timeout(BUSY_TIMEOUT)?;
            found
        });
        self.pace.record(begun.elapsed());
        let found = found.ok()??;
        self.reads.fetch_add(1, Ordering::Relaxed);
        Some(found)
    }

    /// Runs `work`, and keeps the connection if it is in order.
    fn run<T>(
        &self,
        conn: Connection,
        work: impl FnOnce(&Connection, &Path) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let read = work(&conn, &self.path);
        if !matches!(read, Err(Fault::Sql(_))) {
            self.idle().push(conn);
        }
        read
    }

    fn take(&self) -> Option<Connection> {
        self.idle().pop()
    }

    fn open(&self) -> Result<Connection, Fault> {
        let conn = open::connect(&self.path)?;
        conn.pragma_update(None, "query_only", true)?;
        Ok(conn)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_reads_at_once_share_a_few_connections() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        Connection::open(&path).unwrap();
        let readers = Readers::new(path);
        let mut reads = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let readers = Arc::clone(&readers);
            reads.spawn(async move {
                let read = |_: &Connection, _: &Path| {
                    std::thread::sleep(Duration::from_millis(5));
                    Ok(())
                };
                readers.read(read).await.unwrap();
            });
        }
        reads.join_all().await;
        assert_eq!(readers.count(), 40);
        assert!(readers.idle.lock().unwrap().len() <= MAX_CONNECTIONS);
    }

    #[tokio::test]
    async fn a_small_read_runs_on_the_thread_of_the_caller_once_there_is_a_connection() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        Connection::open(&path).unwrap();
        let readers = Readers::with_limit(path, Duration::MAX);
        let caller = std::thread::current().id();
        let thread = |_: &Connection, _: &Path| Ok(std::thread::current().id());
        let small = |conn: &Connection, path: &Path| thread(conn, path).map(Some);
        assert_ne!(readers.read_row(small, thread).await.unwrap(), caller);
        assert_eq!(readers.read_row(small, thread).await.unwrap(), caller);
        let none = |_: &Connection, _: &Path| Ok(None);
        assert_ne!(readers.read_row(none, thread).await.unwrap(), caller);
        let failing =
            |conn: &Connection, _: &Path| Ok(conn.execute("nonsense", []).map(|_| None)?);
        assert_ne!(readers.read_row(failing, thread).await.unwrap(), caller);
    }

    #[test]
    fn reads_of_many_milliseconds_are_too_slow_for_the_thread_of_the_caller() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        Connection::open(&path).unwrap();
        let readers = Readers::new(path);
        readers.idle().push(readers.open().unwrap());
        let inline = |pause: Duration| {
            readers.read_inline(|_, _| {
                std::thread::sleep(pause);
                Ok(Some(()))
            })
        };
        assert!(inline(Duration::from_millis(20)).is_some());
        assert!(inline(Duration::ZERO).is_none());
    }

    #[tokio::test]
    async fn slow_reads_move_to_another_thread_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        Connection::open(&path).unwrap();
        let readers = Readers::with_limit(path, Duration::from_millis(50));
        let inline = |pause: Duration| {
            let small = move |_: &Connection, _: &Path| {
                std::thread::sleep(pause);
                Ok(Some(true))
            };
            readers.read_row(small, |_, _| Ok(false))
        };
        let begun = Instant::now();
        for _ in 0..2 {
            while !inline(Duration::ZERO).await.unwrap() {
                assert!(begun.elapsed() < Duration::from_secs(60));
            }
            assert!(inline(Duration::from_secs(1)).await.unwrap());
            assert!(!inline(Duration::ZERO).await.unwrap());
        }
    }
}
