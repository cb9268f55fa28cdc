//! Runs one execution to its end in this process.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, Json};
use crate::context::{Context, ExecutionInfo, Shared};
use crate::driver::{Driver, Ended, Returned};
use crate::engine::{Counts, Drift, Engine};
use crate::error::{BoxError, OperationError};
use crate::lease;
use crate::record::{Payload, Record};
use crate::site::{Durable, Handler, IntoHandler};
use crate::store::{
    Execution, ExecutionStatus, ExecutionStore, Lease, NewExecution, Started, StoreError,
    refuse_sealed,
};
use crate::{BoxFuture, Clock, ExecutionId, SystemClock};

/// How long a lease lasts without being renewed.
const LEASE: Duration = Duration::from_secs(30);
/// Waits up to this long are waited for with the handler in memory.
const RESIDENT: Duration = Duration::from_secs(60);

/// Opens the store of a run that names none.
pub type OpenStore = fn() -> BoxFuture<'static, Result<Arc<dyn ExecutionStore>, StoreError>>;

/// Why a run has no output.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// The handler ended with this error; so it will for ever.
    Failed(OperationError),
    /// Code and history disagree. The report says about what; a fixed build goes on from here.
    Blocked(String),
    /// Under this id another handler or input was started. Both are named.
    Taken(String),
    /// The input or the recorded output cannot be encoded or decoded.
    Codec(String),
    /// No store was given, or the id is no execution id.
    Usage(String),
    /// The store failed, or another process has taken the execution over.
    Store(StoreError),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Blocked(report) => write!(f, "the execution is blocked: {report}"),
            Self::Taken(text) | Self::Codec(text) | Self::Usage(text) => f.write_str(text),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a run did in this process, and how it ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report<O> {
    /// The output, or why there is none.
    pub output: Result<O, RunError>,
    /// Operations answered from their records.
    pub replayed: u64,
    /// Bodies begun.
    pub ran: u64,
    /// Times the handler was run from the top.
    pub invocations: u64,
    /// Batches the store acknowledged, start and lease apart.
    pub checkpoints: u64,
    /// Records written.
    pub records_written: u64,
    /// Differences between history and code that are no errors.
    pub drift: Vec<Drift>,
    /// What the handler awaits besides durable calls.
    pub warnings: Vec<String>,
}

impl<O> Report<O> {
    fn new(output: Result<O, RunError>) -> Self {
        Self {
            output,
            replayed: 0,
            ran: 0,
            invocations: 0,
            checkpoints: 0,
            records_written: 0,
            drift: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn add(&mut self, counts: Counts) {
        self.replayed += counts.replayed;
        self.ran += counts.ran;
        self.checkpoints += counts.batches;
        self.records_written += counts.records_written;
    }
}

/// A run that is put together and then awaited. Made by [`run`].
#[must_use = "a run does nothing until it is awaited"]
pub struct Run<'a, H: Durable, S> {
    id: String,
    input: H::Input,
    state: &'a S,
    store: Option<Arc<dyn ExecutionStore>>,
    open: Option<OpenStore>,
    clock: Arc<dyn Clock>,
    resident: Duration,
    lease: Duration,
    handler: PhantomData<fn() -> H>,
}

/// Runs `handler` as the execution `id` to its end in this process.
///
/// Waits are slept through. Run again with the same id after a crash, it goes on where it was; after
/// the end it answers with the recorded output.
///
/// # Errors
///
/// See [`RunError`]. An execution that another living process holds is not touched.
pub fn run<F: IntoHandler>(
    _handler: F,
    id: impl Into<String>,
    input: <F::Handler as Durable>::Input,
) -> Run<'static, F::Handler, ()> {
    Run {
        id: id.into(),
        input,
        state: &(),
        store: None,
        open: None,
        clock: Arc::new(SystemClock),
        resident: RESIDENT,
        lease: LEASE,
        handler: PhantomData,
    }
}

impl<'a, H: Durable, S> Run<'a, H, S> {
    /// The state that the handler takes by reference.
    pub fn state<T>(self, state: &T) -> Run<'_, H, T> {
        Run {
            id: self.id,
            input: self.input,
            state,
            store: self.store,
            open: self.open,
            clock: self.clock,
            resident: self.resident,
            lease: self.lease,
            handler: PhantomData,
        }
    }

    /// Where the checkpoints are kept.
    pub fn store(mut self, store: impl IntoStore) -> Self {
        self.store = Some(store.into_store());
        self
    }

    /// Where they are kept when [`Run::store`] says nothing.
    pub fn store_or_else(mut self, open: OpenStore) -> Self {
        self.open = Some(open);
        self
    }

    /// Where the time comes from. The machine's clock unless told otherwise.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Waits and retry delays up to this long keep the handler in memory; for longer ones it is
    /// dropped and run again when they are over. 60 s unless told otherwise.
    pub fn resident(mut self, limit: Duration) -> Self {
        self.resident = limit;
        self
    }

    /// How long another process waits before it takes over from one that does not answer. 30 s
    /// unless told otherwise. One that has ended is taken over from at once, where the store can tell.
    pub fn lease(mut self, ttl: Duration) -> Self {
        self.lease = ttl;
        self
    }
}

/// What can be given as a store.
pub trait IntoStore {
    /// The store, shared.
    fn into_store(self) -> Arc<dyn ExecutionStore>;
}

impl<T: ExecutionStore> IntoStore for T {
    fn into_store(self) -> Arc<dyn ExecutionStore> {
        Arc::new(self)
    }
}

impl<T: ExecutionStore> IntoStore for Arc<T> {
    fn into_store(self) -> Arc<dyn ExecutionStore> {
        self
    }
}

impl IntoStore for Arc<dyn ExecutionStore> {
    fn into_store(self) -> Arc<dyn ExecutionStore> {
        self
    }
}

impl<'a, H, S> Run<'a, H, S>
where
    S: Sync,
    H: Handler<S>,
    H::Input: Serialize + DeserializeOwned + Send + 'static,
    H::Output: Serialize + DeserializeOwned + Send + 'static,
{
    /// Runs to the end and says what was done on the way.
    pub async fn report(self) -> Report<H::Output> {
        let mut report = Report::new(Err(RunError::Usage(String::new())));
        report.output = match self.execute(&mut report).await {
            Ok(output) => decode_output(&output),
            Err(error) => Err(error),
        };
        report
    }

    async fn execute(self, report: &mut Report<H::Output>) -> Result<Payload, RunError> {
        let id: ExecutionId = self
            .id
            .parse()
            .map_err(|error: crate::InvalidExecutionId| RunError::Usage(error.to_string()))?;
        let store = self.open_store().await?;
        let new = self.new_execution(id.clone())?;
        let execution = match store.start(new.clone()).await? {
            Started::Created(execution) => execution,
            Started::Existing(execution) => {
                refuse_sealed(&execution, &[])?;
                check_same::<H>(&execution, &new)?;
                execution
            }
        };
        if let Some(ended) = ended(&execution) {
            return ended;
        }
        loop {
            let lease = store.claim(&id, self.clock.now(), self.lease).await?;
            if let Some(ended) = ended(&lease.execution) {
                return ended;
            }
            report.invocations += 1;
            let wake_at = match self.invoke(&store, lease, report).await? {
                Ended::Succeeded(output) => return Ok(output),
                Ended::Failed(error) => return Err(RunError::Failed(error)),
                Ended::Blocked(text) => return Err(RunError::Blocked(text)),
                Ended::Suspended(wake_at) => wake_at,
            };
            if let Some(wake_at) = wake_at {
                self.clock.sleep(wake_at.since(self.clock.now())).await;
            }
        }
    }

    async fn open_store(&self) -> Result<Arc<dyn ExecutionStore>, RunError> {
        match (&self.store, self.open) {
            (Some(store), _) => Ok(Arc::clone(store)),
            (None, Some(open)) => Ok(open().await?),
            (None, None) => Err(RunError::Usage(
                "no store: say where checkpoints are kept with `.store(…)`".into(),
            )),
        }
    }

    fn new_execution(&self, id: ExecutionId) -> Result<NewExecution, RunError> {
        let input = Json.encode(&self.input).map_err(|error| {
            RunError::Codec(format!(
                "the input of `{}` cannot be encoded: {error}",
                H::NAME
            ))
        })?;
        Ok(NewExecution {
            id,
            handler: H::NAME.to_owned(),
            input: json(input),
            created_at: self.clock.now(),
        })
    }

    /// Runs the handler once from the top.
    async fn invoke(
        &self,
        store: &Arc<dyn ExecutionStore>,
        lease: Lease,
        report: &mut Report<H::Output>,
    ) -> Result<Ended, RunError> {
        let records = load(&**store, &lease).await?;
        refuse_sealed(&lease.execution, &records)?;
        let engine = Engine::new(records, lease.unclean, store.capabilities());
        let info = ExecutionInfo {
            id: lease.execution.id.clone(),
            handler: lease.execution.handler.clone(),
            started_at: lease.execution.created_at,
        };
        let shared = Shared::new(engine, Arc::clone(&self.clock), info);
        let checkpoints: Arc<dyn crate::store::CheckpointStore> = Arc::clone(store) as _;
        let fence = lease.fence.clone();
        let mut driver = Driver::new(
            Arc::clone(&shared),
            checkpoints,
            fence.clone(),
            self.resident,
        );
        let attention = Arc::clone(&driver.attention);
        let clock = Arc::clone(&self.clock);
        let _kept = lease::keep(store, fence, clock, self.lease, attention);
        let cx = Context::root(Arc::clone(&shared));
        let handler = Box::pin(run_handler::<H, S>(&cx, self.state, &lease.execution));
        let ended = driver.run(handler).await;
        report.warnings.append(&mut driver.warnings);
        let state = shared.lock();
        report.add(state.engine.counts());
        if matches!(ended, Ok(Ended::Succeeded(_) | Ended::Failed(_))) {
            report.drift = state.engine.drift();
            for drift in &report.drift {
                tracing::warn!(execution = %lease.execution.id, "{drift}");
            }
        }
        Ok(ended?)
    }
}

impl<'a, H, S> IntoFuture for Run<'a, H, S>
where
    S: Sync,
    H: Handler<S>,
    H::Input: Serialize + DeserializeOwned + Send + Sync + 'static,
    H::Output: Serialize + DeserializeOwned + Send + 'static,
{
    type Output = Result<H::Output, RunError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.report().await.output })
    }
}

async fn run_handler<H, S>(cx: &Context, state: &S, execution: &Execution) -> Returned
where
    S: Sync,
    H: Handler<S>,
    H::Input: DeserializeOwned,
    H::Output: Serialize + DeserializeOwned + Send,
{
    let input = serde_json::from_slice(&execution.input.data).map_err(|error| {
        let message = format!("the recorded input does not decode: {error}");
        OperationError::of_handler(H::NAME, message)
    })?;
    let output = H::run(cx, state, input)
        .await
        .map_err(|error| handler_error(H::NAME, &error))?;
    let bytes = Json.encode(&output).map_err(|error| {
        OperationError::of_handler(H::NAME, format!("the output cannot be encoded: {error}"))
    })?;
    Ok(json(bytes))
}

fn handler_error(handler: &str, error: &BoxError) -> OperationError {
    OperationError::of_handler(handler, String::new()).describe(&**error, "")
}

async fn load(store: &dyn ExecutionStore, lease: &Lease) -> Result<Vec<Record>, StoreError> {
    let mut page = store.load(&lease.fence, 0).await?;
    let mut records = std::mem::take(&mut page.records);
    while let Some(after) = page.next {
        page = store.load(&lease.fence, after).await?;
        records.append(&mut page.records);
    }
    Ok(records)
}

fn json(bytes: Vec<u8>) -> Payload {
    Payload {
        codec: "json".into(),
        data: bytes.into(),
    }
}

fn decode_output<O: DeserializeOwned>(output: &Payload) -> Result<O, RunError> {
    serde_json::from_slice(&output.data).map_err(|error| {
        RunError::Codec(format!(
            "the recorded output does not decode as `{}`: {error}",
            std::any::type_name::<O>()
        ))
    })
}

/// The result of an execution that has ended.
fn ended(execution: &Execution) -> Option<Result<Payload, RunError>> {
    match (execution.status, &execution.output, &execution.error) {
        (ExecutionStatus::Succeeded, Some(output), _) => Some(Ok(output.clone())),
        (ExecutionStatus::Failed, _, Some(error)) => Some(Err(RunError::Failed(error.clone()))),
        _ => None,
    }
}

/// Whether what is there is what was asked for.
fn check_same<H: Durable>(there: &Execution, asked: &NewExecution) -> Result<(), RunError> {
    let renamed = H::manifest().was.contains(&there.handler.as_str());
    if there.handler != asked.handler && !renamed {
        return Err(RunError::Taken(format!(
            "execution `{}` belongs to the handler `{}`, not `{}`; choose another id",
            there.id, there.handler, asked.handler
        )));
    }
    if same_json(&there.input, &asked.input) {
        return Ok(());
    }
    Err(RunError::Taken(format!(
        "execution `{}` was started with another input:\n  recorded  {}\n  given     {}\n\
         Run it with the recorded input, or choose another id.",
        there.id,
        excerpt(&there.input),
        excerpt(&asked.input)
    )))
}

/// Equal bytes, or equal values written differently (maps have no order).
fn same_json(a: &Payload, b: &Payload) -> bool {
    a.data == b.data
        || match (
            serde_json::from_slice::<serde_json::Value>(&a.data),
            serde_json::from_slice::<serde_json::Value>(&b.data),
        ) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        }
}

fn excerpt(payload: &Payload) -> String {
    const SHOWN: usize = 200;
    let text = String::from_utf8_lossy(&payload.data);
    if text.chars().count() <= SHOWN {
        return text.into_owned();
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start}… ({} bytes)", payload.len())
}
