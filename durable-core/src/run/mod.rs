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

use crate::model::json::Exact;
use crate::model::payload::Payload;
use crate::runtime::handler::{Durable, Handler, HandlerInput, HandlerOutput, IntoHandler};
use crate::runtime::settings::Settings;
use crate::store::{Execution, IntoStore, NewExecution, OpenStore, Started, Store, refuse_sealed};
use crate::{BoxFuture, Clock, ExecutionId};

/// Waits up to this long are waited for with the handler in memory.
const RESIDENT: Duration = Duration::from_secs(60);

/// A run that is put together and then awaited. Made by [`run`].
#[must_use = "a run does nothing until it is awaited"]
pub struct Run<'a, H: Durable, S> {
    id: String,
    input: H::Input,
    state: &'a S,
    store: Option<Arc<dyn Store>>,
    open: Option<OpenStore>,
    settings: Settings,
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
        settings: Settings::new(RESIDENT),
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
            settings: self.settings,
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
        self.settings.clock = clock;
        self
    }

    /// Waits and retry delays up to this long keep the handler in memory; for longer ones it is
    /// dropped and run again when they are over. 60 s unless told otherwise.
    pub fn suspend_after(mut self, limit: Duration) -> Self {
        self.settings.suspend_after = limit;
        self
    }

    /// How long another process waits before it takes over from one that does not answer. 30 s
    /// unless told otherwise. One that has ended is taken over from at once, where the store can tell.
    pub fn lease(mut self, ttl: Duration) -> Self {
        self.settings.lease = ttl;
        self
    }

    /// How long one invocation may take, as on a platform that ends it then; a tenth of it, at most
    /// five seconds, is held back. Before a body that may not fit into what is left, the invocation
    /// ends and the next one begins at once. Unlimited unless told otherwise.
    pub fn budget(self, limit: Duration) -> Self {
        self.budget_with_reserve(limit, reserve_of(limit))
    }

    /// The same with another time to hold back.
    pub fn budget_with_reserve(mut self, limit: Duration, reserve: Duration) -> Self {
        self.settings.budget = Some((limit, reserve));
        self
    }
}

/// What of an invocation's time is held back when nobody says.
fn reserve_of(limit: Duration) -> Duration {
    (limit / 10).min(Duration::from_secs(5))
}

impl<H, S> Run<'_, H, S>
where
    S: Sync,
    H: Handler<S>,
{
    /// Runs to the end and says what was done on the way.
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
        if let Started::Existing(execution) = store.start(new.clone()).await? {
            refuse_sealed(&execution, &[])?;
            check_same(&execution, &new, H::manifest().was)?;
        }
        let durability = store.capabilities().durability;
        tracing::info!(execution = %id, handler = H::NAME, %durability, "runs");
        let runner = Runner::<H, S> {
            store,
            settings: self.settings,
            state: self.state,
            handler: PhantomData,
        };
        runner.to_end(id, tally).await
    }

    fn new_execution(&self, id: ExecutionId) -> Result<NewExecution, RunError> {
        let input = self.input.to_json().map_err(|error| {
            RunError::Codec(format!(
                "the input of `{}` cannot be encoded: {error}",
                H::NAME
            ))
        })?;
        let now = self.settings.clock.now();
        let new = NewExecution::new(id, H::NAME, Payload::json(input), now);
        Ok(new.with_input_type(std::any::type_name::<H::Input>()))
    }
}

async fn open_store(
    given: Option<Arc<dyn Store>>,
    open: Option<OpenStore>,
) -> Result<Arc<dyn Store>, RunError> {
    match (given, open) {
        (Some(store), _) => Ok(store),
        (None, Some(open)) => Ok(open().await?),
        (None, None) => Err(RunError::Usage(
            "no store: say where checkpoints are kept with `.store(…)`".into(),
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

/// Whether what is there is what was asked for.
pub(crate) fn check_same(
    there: &Execution,
    asked: &NewExecution,
    was: &[&str],
) -> Result<(), RunError> {
    let renamed = was.contains(&there.handler.as_str());
    if there.handler != asked.handler && !renamed {
        return Err(RunError::IdInUse(format!(
            "execution `{}` belongs to the handler `{}`, not `{}`; choose another id",
            there.id, there.handler, asked.handler
        )));
    }
    if same_json(&there.input, &asked.input) {
        return Ok(());
    }
    Err(RunError::IdInUse(format!(
        "execution `{}` was started with another input:\n  recorded  {}\n  given     {}\n\
         Run it with the recorded input, or choose another id.",
        there.id,
        excerpt(&there.input),
        excerpt(&asked.input)
    )))
}

/// Equal bytes, or equal values written differently (maps have no order).
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
