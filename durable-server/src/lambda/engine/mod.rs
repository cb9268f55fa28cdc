//! Runs executions: keeps them in memory, stores their state in SQLite, and invokes their functions.
//!
//! A running execution has a slot and a task that drives it. Its state changes under the slot's
//! lock, and every change is committed before the lock is released and a response is sent.

mod access;
mod drive;
mod invoke;
mod pools;
mod start;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use super::db::{self, Db, DbError};
use super::options::{Options, Output, State};
use super::registry::Registry;
use super::service::{Execution, Limits, Moment, Refusal};
use super::{ServerError, clock};
use crate::http::Guard;

pub(crate) use access::Slot;
pub(crate) use start::Start;

/// Interval of housekeeping.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(30);

pub(crate) struct Engine {
    pub(crate) registry: Registry,
    pub(crate) guard: Guard,
    /// Secret that signatures are verified with.
    pub(crate) secret_key: Option<String>,
    pub(crate) db: Db,
    limits: Limits,
    scale: f64,
    pub(crate) request_timeout: Duration,
    /// Running executions by id.
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    keys: AtomicI64,
    tasks: Mutex<JoinSet<()>>,
    output: Output,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    pub(crate) async fn open(
        options: Options,
        address: SocketAddr,
    ) -> Result<Arc<Self>, ServerError> {
        let path = match &options.state {
            State::File(path) => Some(path.as_path()),
            State::Ephemeral => None,
        };
        let db = Db::open(path)?;
        let keys = db.read(db::last_key).await?;
        let quotas = options.quotas;
        let pools = pools::pools(&options, address).map_err(ServerError::Logs)?;
        Ok(Arc::new(Self {
            registry: Registry {
                pools,
                region: options.region,
                account: options.account,
            },
            secret_key: options.secret_key,
            guard: options.access_key.map_or(Guard::Loopback, Guard::AccessKey),
            db,
            limits: Limits {
                operations: quotas.operations,
                bytes: quotas.bytes,
                failed_invocations: quotas.failed_invocations,
                page_bytes: quotas.page_bytes,
                ..Limits::default()
            },
            scale: options.time_scale,
            request_timeout: options.request_timeout,
            slots: Mutex::default(),
            keys: AtomicI64::new(keys),
            tasks: Mutex::default(),
            output: options.output,
        }))
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment {
            now: clock::now(),
            scale: self.scale,
        }
    }

    fn next_key(&self) -> i64 {
        self.keys.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<String, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spawns a task that ends with the server.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Ends all tasks, and with them the functions.
    pub(crate) fn close(&self) {
        for pool in self.registry.pools.values() {
            pool.close();
        }
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.abort_all();
        drop(tasks);
        self.slots().clear();
    }

    fn log(&self, text: &str) {
        (self.output)(text);
    }

    async fn stored(&self, id: &str) -> Result<Option<db::Stored>, DbError> {
        let id = id.to_owned();
        self.db.read(move |conn| db::execution(conn, &id)).await
    }

    /// Resumes executions and queued invocations of an earlier server.
    pub(crate) async fn resume(self: &Arc<Self>) -> Result<(), ServerError> {
        let open = self.db.read(db::open_executions).await?;
        let count = open.len();
        for id in open {
            let Some(stored) = self.stored(&id).await? else {
                continue;
            };
            let mut execution = Execution::restored(stored.head, stored.operations, self.limits);
            execution.recover(self.moment());
            let slot = Slot::recovered(stored.key, execution);
            self.slots().insert(id, Arc::clone(&slot));
            self.drive(slot);
        }
        if count > 0 {
            self.log(&format!("resumed {count} executions"));
        }
        for queued in self.db.read(db::queued).await? {
            self.run_queued(queued);
        }
        Ok(())
    }

    /// Removes expired executions and ends idle processes, periodically.
    pub(crate) async fn housekeeping(self: Arc<Self>) {
        loop {
            for pool in self.registry.pools.values() {
                pool.reap();
            }
            let now = clock::now();
            let expired = self.db.read(move |conn| db::expired(conn, now)).await;
            for key in expired.unwrap_or_default() {
                if let Err(error) = self.db.write(db::Write::Delete { key }).await {
                    self.log(&format!("cannot remove an expired execution: {error}"));
                }
            }
            tokio::time::sleep(HOUSEKEEPING_INTERVAL).await;
        }
    }
}

impl From<DbError> for Refusal {
    fn from(error: DbError) -> Self {
        Self::internal(error.to_string())
    }
}
