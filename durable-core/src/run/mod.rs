//! Runs one execution to its end in this process.

mod children;
mod error;
mod invocation;
mod invoke;
mod report;
mod runner;
#[cfg(feature = "testing")]
mod stepper;

use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

pub use error::RunError;
pub use invocation::Invocation;
pub use invoke::invoke;
pub use report::Report;
pub(crate) use report::Tally;
pub(crate) use runner::{Outcome, Runner, outcome};
#[cfg(feature = "testing")]
pub(crate) use stepper::{Conditions, Invocations};

use crate::metrics;
use crate::model::json::Exact;
use crate::model::payload::Payload;
use crate::runtime::any_handler::bind;
use crate::runtime::handler::{Durable, Handler, HandlerInput, HandlerOutput, IntoHandler};
use crate::runtime::settings::Settings;
use crate::store::{Execution, IntoStore, NewExecution, OpenStore, Started, Store, refuse_sealed};
use crate::{BoxFuture, Clock, ExecutionId, InvalidLabel, Labels, TraceParent};

/// Longest wait that keeps the handler in memory, by default.
const SUSPEND_AFTER: Duration = Duration::from_secs(60);

/// Run with its options. Created by [`run`] and started by awaiting it.
#[must_use = "a run does nothing until it is awaited"]
pub struct Run<'a, H: Durable, S> {
    id: String,
    input: H::Input,
    state: &'a S,
    store: Option<Arc<dyn Store>>,
    open: Option<OpenStore>,
    settings: Settings,
    labels: Result<Labels, InvalidLabel>,
    handler: PhantomData<fn() -> H>,
}

/// Runs `handler` as the execution `id` to its end in this process.
///
/// Sleeps through waits. Run it again with the same id after a crash and it resumes where it left off; after
/// the end it returns the recorded output.
///
/// # Errors
///
/// See [`RunError`]. An execution held by another living process is left unchanged.
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
        settings: Settings::new(SUSPEND_AFTER),
        labels: Ok(Labels::new()),
        handler: PhantomData,
    }
}

impl<'a, H: Durable, S> Run<'a, H, S> {
    /// Sets the state that the handler takes by reference.
    pub fn state<T>(self, state: &T) -> Run<'_, H, T> {
        Run {
            id: self.id,
            input: self.input,
            state,
            store: self.store,
            open: self.open,
            settings: self.settings,
            labels: self.labels,
            handler: PhantomData,
        }
    }

    /// Sets the store for checkpoints.
    pub fn store(mut self, store: impl IntoStore) -> Self {
        self.store = Some(store.into_store());
        self
    }

    /// Sets how to open a store if [`Run::store`] is not called.
    pub fn store_or_else(mut self, open: OpenStore) -> Self {
        self.open = Some(open);
        self
    }

    /// Adds a label to the execution if this call starts it: see
    /// [`Start::label`](crate::Start::label).
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels = self.labels.and_then(|labels| labels.with(key, value));
        self
    }

    /// Sets the clock. The default is [`SystemClock`](crate::SystemClock).
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Sets the longest wait or retry delay that keeps the handler in memory. For longer ones it is dropped,
    /// and runs again afterwards. The default is 60 s.
    pub fn suspend_after(mut self, limit: Duration) -> Self {
        self.settings.suspend_after = limit;
        self
    }

    /// Sets how long another process waits before it takes over from this one if it stops responding. The
    /// default is 30 s. If the store detects that this process has ended, others take over at once.
    pub fn lease(mut self, ttl: Duration) -> Self {
        self.settings.lease = ttl;
        self
    }

    /// Limits the time of each invocation, as on a platform that kills it afterwards. A tenth of the limit, at
    /// most five seconds, is held in reserve. The invocation ends before a body that may not fit into the
    /// remaining time, and the next one starts at once. Unlimited by default.
    pub fn budget(self, limit: Duration) -> Self {
        self.budget_with_reserve(limit, reserve_of(limit))
    }

    /// Limits the time of each invocation, with another reserve.
    pub fn budget_with_reserve(mut self, limit: Duration, reserve: Duration) -> Self {
        self.settings.budget = Some((limit, reserve));
        self
    }
}

/// Returns the default reserve of an invocation.
fn reserve_of(limit: Duration) -> Duration {
    (limit / 10).min(Duration::from_secs(5))
}

impl<H, S> Run<'_, H, S>
where
    S: Sync,
    H: Handler<S>,
{
    /// Runs to the end, and returns the output together with counts of what was done.
    pub async fn report(self) -> Report<H::Output> {
        let mut tally = Tally::default();
        let output = match self.execute(&mut tally).await {
            Ok(output) => decode_output(&output),
            Err(error) => Err(error),
        };
        tally.report(output)
    }

    async fn execute(self, tally: &mut Tally) -> Result<Payload, RunError> {
        let id: ExecutionId = self
            .id
            .parse()
            .map_err(|error: crate::InvalidExecutionId| RunError::Usage(error.to_string()))?;
        let new = self.new_execution(id.clone())?;
        let store = open_store(self.store, self.open).await?;
        match store.start(new.clone()).await? {
            Started::Created(_) => metrics::execution_started(H::NAME),
            Started::Existing(execution) => {
                refuse_sealed(&execution, &[])?;
                check_same(&execution, &new, H::manifest().was)?;
            }
        }
        let durability = store.capabilities().durability;
        tracing::info!(execution = %id, handler = H::NAME, %durability, "execution started");
        let runner = Runner {
            store,
            settings: self.settings,
            handler: bind::<H, _>(self.state),
        };
        runner.run_to_end(id, tally).await
    }

    fn new_execution(&self, id: ExecutionId) -> Result<NewExecution, RunError> {
        let input = self.input.to_json().map_err(|error| {
            RunError::Codec(format!(
                "the input of `{}` cannot be encoded: {error}",
                H::NAME
            ))
        })?;
        let now = self.settings.clock.now();
        let mut new = NewExecution::new(id, H::NAME, Payload::json(input), now);
        new.trace = TraceParent::current();
        let labels = self.labels.as_ref();
        let labels = labels.map_err(|error| RunError::Usage(error.to_string()))?;
        new.labels.clone_from(labels);
        Ok(new.with_input_type(std::any::type_name::<H::Input>()))
    }
}

async fn open_store(
    store: Option<Arc<dyn Store>>,
    open: Option<OpenStore>,
) -> Result<Arc<dyn Store>, RunError> {
    match (store, open) {
        (Some(store), _) => Ok(store),
        (None, Some(open)) => Ok(open().await?),
        (None, None) => Err(RunError::Usage(
            "no store is set: choose where checkpoints are kept with `.store(…)`".into(),
        )),
    }
}

impl<'a, H, S> IntoFuture for Run<'a, H, S>
where
    S: Sync,
    H: Handler<S>,
{
    type Output = Result<H::Output, RunError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.report().await.output })
    }
}

pub(crate) fn decode_output<O: HandlerOutput>(output: &Payload) -> Result<O, RunError> {
    O::from_json(&output.data).map_err(|error| {
        RunError::Codec(format!(
            "the recorded output does not decode as `{}`: {error}",
            std::any::type_name::<O>()
        ))
    })
}

/// Checks that an existing execution has the requested handler and input.
pub(crate) fn check_same(
    existing: &Execution,
    requested: &NewExecution,
    was: &[&str],
) -> Result<(), RunError> {
    let renamed = was.contains(&existing.handler.as_str());
    if existing.handler != requested.handler && !renamed {
        return Err(RunError::IdInUse(format!(
            "execution `{}` belongs to the handler `{}`, not `{}`; choose another id",
            existing.id, existing.handler, requested.handler
        )));
    }
    if same_json(&existing.input, &requested.input) {
        return Ok(());
    }
    Err(RunError::IdInUse(format!(
        "execution `{}` was started with another input:\n  recorded  {}\n  given     {}\n\
         Run it with the recorded input, or choose another id.",
        existing.id,
        excerpt(&existing.input),
        excerpt(&requested.input)
    )))
}

/// Compares bytes, or else JSON values, since maps may be encoded in any order.
fn same_json(a: &Payload, b: &Payload) -> bool {
    let equal = || Some(Exact::parse(&a.data).ok()? == Exact::parse(&b.data).ok()?);
    a.data == b.data || equal().unwrap_or_default()
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
