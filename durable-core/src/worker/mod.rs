//! Runs many executions, of several handlers, beside other workers.

mod build;
mod error;
mod failures;
mod handlers;
mod release;
mod serve;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

pub use error::WorkerError;
use handlers::Handlers;
use serve::Service;

use crate::Clock;
use crate::runtime::handler::{Handler, IntoHandler};
use crate::runtime::settings::Settings;
use crate::runtime::shutdown::Shutdown;
use crate::store::IntoStore;
use crate::store::{Store, WorkerFilter};

/// Executions that a worker runs at once, unless told otherwise.
const CONCURRENCY: usize = 64;
/// Waits up to this long are waited for with the handler in memory.
const RESIDENT: Duration = Duration::from_secs(1);
/// How long bodies have to end by themselves once the worker is to stop.
const GRACE: Duration = Duration::from_secs(30);

/// Claims executions and runs them, beside any number of other workers on the same store.
///
/// A worker claims what is due of the handlers that are registered with it, under leases that it
/// renews while they run, and leaves everything else alone. A worker that dies loses nothing: its
/// executions are taken over by others, at once where the store can tell that the process has
/// ended, else when the leases expire. What goes wrong with one execution keeps no other from
/// running, and no error of the store that may pass ends the worker.
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
/// A handler that waits for longer than [`suspend_after`](Self::suspend_after) is dropped, and so is one that
/// waits for an event: what sleeps is a row in the store and takes no memory.
///
/// # Deploys
///
/// Workers of several builds may run side by side. An execution whose history does not fit the code
/// is *blocked* with a report. It is offered once to every other build: one with another version,
/// other call sites or another [`build`](Self::build).
///
/// An execution that ends its process again and again is blocked too, once
/// [`max_crashes`](Self::max_crashes) processes in a row ended under it without recording anything new.
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
    build: String,
}

impl Worker {
    /// A worker on this store, without a state and with no handler yet.
    pub fn new(store: impl IntoStore) -> Self {
        Self {
            store: store.into_store(),
            state: Arc::new(()),
            handlers: Handlers::default(),
            settings: Settings::new(RESIDENT),
            queues: None,
            concurrency: CONCURRENCY,
            grace: GRACE,
            max_crashes: 10,
            build: String::new(),
        }
    }
}

impl<S> Worker<S> {
    /// The state that the handlers registered from now on take by reference.
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
            build: self.build,
        }
    }

    /// Only executions that wait in none or in one of these queues. Those of all queues unless told
    /// otherwise.
    pub fn queues(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.queues = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Runs up to so many executions at once, at least one. 64 unless told otherwise.
    pub fn concurrency(mut self, executions: usize) -> Self {
        self.concurrency = executions.max(1);
        self
    }

    /// Waits and retry delays up to this long keep the handler in memory, where it counts among
    /// those that run. 1 s unless told otherwise.
    pub fn suspend_after(mut self, limit: Duration) -> Self {
        self.settings.suspend_after = limit;
        self
    }

    /// How long other workers wait before they take over from this one when it does not answer.
    /// 30 s unless told otherwise.
    pub fn lease(mut self, ttl: Duration) -> Self {
        self.settings.lease = ttl;
        self
    }

    /// How long bodies that run have to end by themselves once the worker is to stop; what has not
    /// ended by then is dropped, and counts as interrupted. 30 s unless told otherwise.
    pub fn grace(mut self, limit: Duration) -> Self {
        self.grace = limit;
        self
    }

    /// Blocks an execution once so many processes in a row, at least one, ended while they ran it
    /// and recorded nothing new. 10 unless told otherwise.
    pub fn max_crashes(mut self, processes: u32) -> Self {
        self.max_crashes = processes.max(1);
        self
    }

    /// Names the build, beside what is known of the handlers: executions that blocked under a worker
    /// without this name, or with another one, are tried again.
    pub fn build(mut self, name: impl Into<String>) -> Self {
        self.build = name.into();
        self
    }

    /// Where the time comes from. The machine's clock unless told otherwise.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }
}

impl<S: Send + Sync + 'static> Worker<S> {
    /// Runs executions of this handler, with the state given before.
    ///
    /// That two handlers have the same name is an error, which [`run_until`](Self::run_until)
    /// answers with before anything is claimed.
    pub fn register<F>(mut self, _handler: F) -> Self
    where
        F: IntoHandler,
        F::Handler: Handler<S>,
    {
        self.handlers.add::<F::Handler, S>(Arc::clone(&self.state));
        self
    }

    /// Runs until SIGTERM or SIGINT (elsewhere Ctrl-C) asks it to stop, then drains: see
    /// [`run_until`](Self::run_until). A second signal ends the bodies that still run.
    ///
    /// # Errors
    ///
    /// Those of [`run_until`](Self::run_until).
    #[cfg(feature = "signal")]
    pub async fn run(self) -> Result<(), WorkerError> {
        let (stop, abort) = (
            crate::signal::asked_to_stop(),
            crate::signal::asked_to_stop(),
        );
        self.serve(stop, abort).await
    }

    /// Runs until `stop` ends, then drains: claims nothing more, lets the bodies that run end and
    /// records them, and suspends every execution at its next durable boundary. Nothing is lost.
    ///
    /// # Errors
    ///
    /// [`WorkerError::Usage`] when no handler was registered or two have the same name;
    /// [`WorkerError::Store`] when the store stays unusable for some time, or is damaged.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Result<(), WorkerError> {
        self.serve(stop, std::future::pending()).await
    }

    async fn serve(
        self,
        stop: impl Future<Output = ()>,
        abort: impl Future<Output = ()>,
    ) -> Result<(), WorkerError> {
        self.handlers.check()?;
        let wanted = WorkerFilter {
            handlers: self.handlers.builds(&self.build),
            queues: self.queues,
        };
        let stopping = Arc::new(Shutdown::default());
        let elsewhere: HashSet<_> = self.handlers.names().collect();
        let service = Service {
            settings: Settings {
                stopping: Some(Arc::clone(&stopping)),
                elsewhere: Arc::new(elsewhere),
                ..self.settings
            },
            store: self.store,
            handlers: self.handlers,
            stopping,
            wanted,
            concurrency: self.concurrency,
            grace: self.grace,
            max_crashes: self.max_crashes,
            failures: Default::default(),
        };
        Arc::new(service).run(stop, abort).await
    }
}
