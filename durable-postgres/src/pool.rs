//! Pool of connections.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use durable_core::store::{StoreError, StoreErrorKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connection::{Connector, OwnConn};
use crate::error::Fault;

pub(crate) struct Pool {
    connector: Arc<Connector>,
    idle: Mutex<Vec<Arc<OwnConn>>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    pub(crate) fn new(connector: Arc<Connector>, size: usize) -> Arc<Self> {
        Arc::new(Self {
            connector,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(size)),
        })
    }

    /// Takes the idle connection used last, which has its statements prepared, or opens a new one.
    pub(crate) async fn get(self: &Arc<Self>) -> Result<Pooled, Fault> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| {
            let message = format!("the store {} is closed", self.connector.options());
            StoreError::new(StoreErrorKind::Unavailable, message)
        })?;
        let conn = match self.take() {
            Some(conn) => conn,
            None => Arc::new(self.connector.connect(None).await?),
        };
        Ok(Pooled {
            conn,
            pool: Arc::clone(self),
            _permit: permit,
        })
    }

    fn take(&self) -> Option<Arc<OwnConn>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(conn) = idle.pop() {
            if conn.is_usable() {
                return Some(conn);
            }
        }
        None
    }

    /// Drops idle connections. After one is lost, the others lead to the same dead server.
    pub(crate) fn clear(&self) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Connection that returns to its pool when dropped.
pub(crate) struct Pooled {
    conn: Arc<OwnConn>,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Deref for Pooled {
    type Target = OwnConn;

    fn deref(&self) -> &OwnConn {
        &self.conn
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if self.conn.is_usable() {
            let mut idle = self
                .pool
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            idle.push(Arc::clone(&self.conn));
        }
    }
}
