//! Worker, which claims and runs executions of several handlers.

mod build;
mod error;
mod failures;
mod handlers;
mod release;
mod sample;
mod serve;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

pub use error::WorkerError;
use handlers::Handlers;
use serve::Service;

use crate::Clock;
use crate::runtime::any_handler::bind;
use crate::runtime::handler::{Handler, IntoHandler};
use crate::runtime::settings::Settings;
use crate::runtime::shutdown::Shutdown;
use crate::store::IntoStore;
use crate::store::{Store, WorkerFilter};

/// Default number of executions that run at once.
const CONCURRENCY: usize = 256;
/// Longest wait that keeps the handler in memory, by default.
const SUSPEND_AFTER: Duration = Duration::from_secs(1);
/// Time that bodies have to finish after the worker is told to stop, by default.
const GRACE: Duration = Duration::from_secs(30);

/// Claims executions and runs them, together with any number of other workers on the same store.
///
/// A worker claims due executions of its registered handlers, under leases that it renews while they run. If a
/// worker dies, nothing is lost: other workers take its executions over, at once if the store detects that the
/// process has ended, and otherwise when the leases expire. A failure of one execution does not affect the
/// others, and temporary errors of the store do not stop the worker.
///
/// ```
/// # use durable_core::{BoxError, IntoHandler, Handler, Durable, worker::Worker, store::MemoryStore};
/// # async fn f<H>(etl: impl IntoHandler<Handler = H>) -> Result<(), BoxError>
/// # where H: Handler<String> + Durable<Input = u32, Output = u32> {
/// let app = "what handlers take by reference".to_owned();
/// let worker = Worker::new(MemoryStore::new()).state(app).register(etl);
/// worker.concurrency(16).run_until(std::future::pending()).await?;
/// # Ok(()) }
/// ```
///
/// # Waits
///
/// A handler that waits for longer than [`suspend_after`](Self::suspend_after), or for an external event, is
/// dropped. A suspended execution is a row in the store and takes no memory.
///
/// # Deploys
///
/// Workers of several builds may run side by side. An execution whose history does not match the code is
/// *blocked* with a report. Every other build tries it once: a build with another version, other call sites or
/// another [`build`](Self::build) name.
///
/// An execution that keeps crashing its process is blocked too, after [`max_crashes`](Self::max_crashes)
/// consecutive processes ended while running it without recording anything new.
#[must_use = "a worker does nothing until it is run"]
pub struct Worker<S = ()> {
    store: Arc<dyn Store>,
    state: Arc<S>,
    handlers: Handlers,
    settings: Settings,
    queues: Option<Vec<String>>,
    concurrency: usize,
    grace: Duration,
    max_crashes: u32,
    sample_queues: bool,
    build: String,
}

impl Worker {
    /// Creates a worker on this store, without state or handlers.
    pub fn new(store: impl IntoStore) -> Self {
        Self {
            store: store.into_store(),
            state: Arc::new(()),
            handlers: Handlers::default(),
            settings: Settings::new(SUSPEND_AFTER),
            queues: None,
            concurrency: CONCURRENCY,
            grace: GRACE,
            max_crashes: 10,
            sample_queues: true,
            build: String::new(),
        }
    }
}

impl<S> Worker<S> {
    /// Sets the state that handlers registered after this call take by reference.
    pub fn state<T: Send + Sync + 'static>(self, state: impl Into<Arc<T>>) -> Worker<T> {
        Worker {
            state: state.into(),
            store: self.store,
            handlers: self.handlers,
            settings: self.settings,
            queues: self.queues,
            concurrency: self.concurrency,
            grace: self.grace,
            max_crashes: self.max_crashes,
            sample_queues: self.sample_queues,
            build: self.build,
        }
    }

    /// Claims only executions in these queues and executions without a queue. By default, claims from all
    /// queues.
    pub fn queues(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.queues = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Sets how many executions run at once, at least one. The default is 256.
    pub fn concurrency(mut self, executions: usize) -> Self {
        self.concurrency = executions.max(1);
        self
    }

    /// Sets the longest wait or retry delay that keeps the handler in memory, where it counts towards the
    /// concurrency. The default is 1 s.
    pub fn suspend_after(mut self, limit: Duration) -> Self {
        self.settings.suspend_after = limit;
        self
    }

    /// Sets how long other workers wait before they take over from this one if it stops responding. The default
    /// is 30 s.
    pub fn lease(mut self, ttl: Duration) -> Self {
        self.settings.lease = ttl;
        self
    }

    /// Sets how long running bodies have to finish when the worker stops. Bodies still running then are dropped
    /// and count as interrupted. The default is 30 s.
    pub fn grace(mut self, limit: Duration) -> Self {
        self.grace = limit;
        self
    }

    /// Sets how many consecutive processes, at least one, may end while running an execution without recording
    /// anything new, before it is blocked. The default is 10.
    pub fn max_crashes(mut self, processes: u32) -> Self {
        self.max_crashes = processes.max(1);
        self
    }

    /// Names the build, in addition to what identifies its handlers. Executions that blocked under a worker
    /// with another name are tried again.
    pub fn build(mut self, name: impl Into<String>) -> Self {
        self.build = name.into();
        self
    }

    /// Sets whether the worker reads the queues it serves every 10 s and records their depth and the age of the oldest
    /// execution as metrics. The default is `true`. Without an installed recorder, nothing is read.
    #[cfg(feature = "metrics")]
    pub fn sample_queues(mut self, on: bool) -> Self {
        self.sample_queues = on;
        self
    }

    /// Sets the clock. The default is [`SystemClock`](crate::SystemClock).
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }
}

impl<S: Send + Sync + 'static> Worker<S> {
    /// Registers a handler, with the state set before.
    ///
    /// Two handlers with the same name are an error, which [`run_until`](Self::run_until) returns before it
    /// claims anything.
    pub fn register<F>(mut self, _handler: F) -> Self
    where
        F: IntoHandler,
        F::Handler: Handler<S>,
    {
        let state = Arc::clone(&self.state);
        self.handlers.add(&bind::<F::Handler, _>(state));
        self
    }

    /// Runs until SIGTERM or SIGINT (Ctrl-C on other platforms), then drains like
    /// [`run_until`](Self::run_until). A second signal drops the bodies that are still running.
    ///
    /// # Errors
    ///
    /// Errors of [`run_until`](Self::run_until).
    #[cfg(feature = "signal")]
    pub async fn run(self) -> Result<(), WorkerError> {
        let (stop, abort) = (
            crate::signal::shutdown_requested(),
            crate::signal::shutdown_requested(),
        );
        self.serve(stop, abort).await
    }

    /// Runs until `stop` completes, then drains: stops claiming, lets running bodies finish, records them, and
    /// suspends every execution at its next durable boundary. Nothing is lost.
    ///
    /// # Errors
    ///
    /// [`WorkerError::Usage`] if no handler is registered or two have the same name. [`WorkerError::Store`] if
    /// the store stays unusable for some time, or is damaged.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Result<(), WorkerError> {
        self.serve(stop, std::future::pending()).await
    }

    async fn serve(
        self,
        stop: impl Future<Output = ()>,
        abort: impl Future<Output = ()>,
    ) -> Result<(), WorkerError> {
        self.handlers.check()?;
        let filter = WorkerFilter {
            handlers: self.handlers.builds(&self.build),
            queues: self.queues,
        };
        let shutdown = Arc::new(Shutdown::default());
        let worker_handlers: HashSet<_> = self.handlers.names().collect();
        let service = Service {
            settings: Settings {
                shutdown: Some(Arc::clone(&shutdown)),
                worker_handlers: Arc::new(worker_handlers),
                ..self.settings
            },
            store: self.store,
            handlers: self.handlers,
            shutdown,
            filter,
            concurrency: self.concurrency,
            grace: self.grace,
            max_crashes: self.max_crashes,
            sample_queues: self.sample_queues,
            failures: Default::default(),
        };
        Arc::new(service).run(stop, abort).await
    }
}
