//! Read-only connections, used on threads for blocking work.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use durable_core::store::{StoreError, StoreErrorKind};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::error::Fault;
use crate::open;

/// Maximum number of connections, each of which keeps a thread busy while it reads. Opening one takes longer than most
/// reads, so that it is better to wait for one.
const MAX_CONNECTIONS: usize = 8;

/// Pool of read-only connections.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    reads: AtomicU64,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            path,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
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
        work: impl FnOnce(&Connection, &std::path::Path) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(self);
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let reading = tokio::task::spawn_blocking(move || {
            // Held by the thread, which goes on reading when the caller stops waiting.
            let _permit = permit;
            let conn = readers.take().map_err(|fault| fault.at(&readers.path))?;
            let read = work(&conn, &readers.path);
            if !matches!(read, Err(Fault::Sql(_))) {
                readers.put_back(conn);
            }
            read.map_err(|fault| fault.at(&readers.path))
        });
        reading.await.unwrap_or_else(|lost| {
            let message = format!("a read of `{}` did not finish: {lost}", self.path.display());
            Err(StoreError::new(StoreErrorKind::Unavailable, message))
        })
    }

    fn take(&self) -> Result<Connection, Fault> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        if let Some(conn) = idle {
            return Ok(conn);
        }
        let conn = open::connect(&self.path)?;
        conn.pragma_update(None, "query_only", true)?;
        Ok(conn)
    }

    fn put_back(&self, conn: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(conn);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
                let read = |_: &Connection, _: &std::path::Path| {
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
}
