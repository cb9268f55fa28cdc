//! A single run of a handler, with external answers given by operation name.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::boundaries::Treatment;
use super::history::History;
use super::outcome::{End, TestOutcome};
use super::process::{Process, Setup, Stage};
use super::script::{self, Script};
use super::world::World;
use crate::model::codec;
use crate::model::error::BoxError;
use crate::model::payload::Payload;
use crate::run::RunError;
use crate::runtime::any_handler::bind;
use crate::runtime::handler::{Durable, Handler, IntoHandler};
use crate::{ExecutionId, InvalidExecutionId};

/// A run of a handler in memory that does not spend real time on waits.
///
/// ```
/// use durable_core::testing::TestRun;
/// # use durable_core::*;
/// # async fn f<F>(order: F) where F: IntoHandler, F::Handler: Handler<()> + Durable<Input = u32, Output = String> {
/// let run = TestRun::new(order)
///     .callback("approval", true)
///     .fail_step("charge", "no answer", 2)
///     .run("order-1", 500)
///     .await;
/// run.assert_names(["reserve", "approval", "charge"]);
/// assert_eq!(run.attempts("charge"), 3);
/// assert_eq!(run.output().unwrap(), "paid");
/// # }
/// ```
///
/// An operation name is a path with its scopes (`files[a.csv]/load[3]`), a display name (`load[3]`), or the name of a
/// call site, which matches all its occurrences (`load`).
#[must_use = "a test run does nothing until it is run"]
pub struct TestRun<'a, H, S> {
    world: World,
    script: Script,
    state: &'a S,
    budget: Option<Duration>,
    max_invocations: u64,
    handler: PhantomData<fn() -> H>,
}

impl<H: Durable> TestRun<'static, H, ()> {
    /// Creates a run of `handler` in a new world.
    pub fn new<F: IntoHandler<Handler = H>>(_handler: F) -> Self {
        Self::of_handler()
    }

    pub(super) fn of_handler() -> Self {
        Self {
            world: World::new(),
            script: Script::default(),
            state: &(),
            budget: None,
            max_invocations: u64::MAX,
            handler: PhantomData,
        }
    }
}

impl<'a, H: Durable, S> TestRun<'a, H, S> {
    /// The scripted answers and the time limit of an invocation.
    pub(super) fn into_script(self) -> (Script, Option<Duration>) {
        (self.script, self.budget)
    }

    /// Sets the state that the handler takes by reference.
    pub fn state<T>(self, state: &T) -> TestRun<'_, H, T> {
        TestRun {
            world: self.world,
            script: self.script,
            state,
            budget: self.budget,
            max_invocations: self.max_invocations,
            handler: PhantomData,
        }
    }

    /// The world that the execution runs in, for a state that needs a client or the clock.
    pub fn world(&self) -> World {
        self.world.clone()
    }

    /// Runs in this world, with its executions and its current time.
    pub fn within(mut self, world: &World) -> Self {
        self.world = world.clone();
        self
    }

    /// Completes the callback `name` with this value as soon as the execution waits for it.
    pub fn callback<T: Serialize>(self, name: &str, value: T) -> Self {
        self.callback_after(name, Duration::ZERO, value)
    }

    /// Completes the callback `name` with this value, this long after its start.
    pub fn callback_after<T: Serialize>(mut self, name: &str, after: Duration, value: T) -> Self {
        let outcome = script::succeed(name, &value);
        self.script.callback(name, after, outcome);
        self
    }

    /// Sends a message to the execution as soon as it waits for something. Messages with the same name are received in the
    /// order of these calls.
    pub fn message<T: Serialize>(self, name: &str, value: T) -> Self {
        self.message_after(name, Duration::ZERO, value)
    }

    /// Sends a message to the execution, this long after its start. A value that JSON cannot hold is not sent.
    pub fn message_after<T: Serialize>(mut self, name: &str, after: Duration, value: T) -> Self {
        if let Ok(text) = codec::encode_one_way(&value) {
            self.script.message(name, after, Payload::json(text));
        }
        self
    }

    /// Fails the callback `name` with this error as soon as the execution waits for it.
    pub fn fail_callback(mut self, name: &str, error: impl Into<BoxError>) -> Self {
        let outcome = script::fail(name, error);
        self.script.callback(name, Duration::ZERO, outcome);
        self
    }

    /// Replaces the invoked execution that `name` matches, by the name of the operation or of the function it runs, with
    /// this answer. The function does not run.
    pub fn invoke<I, O, E>(
        mut self,
        name: &str,
        answer: impl Fn(I) -> Result<O, E> + Send + Sync + 'static,
    ) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
        E: Into<BoxError>,
    {
        self.script.invoke(name, answer);
        self
    }

    /// Makes the first `times` attempts at each operation that `name` matches fail with this error, without running
    /// their bodies.
    pub fn fail_step<E>(mut self, name: &str, error: E, times: u32) -> Self
    where
        E: Into<BoxError> + Clone + Send + Sync + 'static,
    {
        self.script.fail_step(name, error, times);
        self
    }

    /// Makes the first `times` attempts at each operation that `name` matches time out, without running their bodies.
    pub fn time_out_step(mut self, name: &str, times: u32) -> Self {
        self.script.time_out_step(name, times);
        self
    }

    /// Sets how much virtual time each run of the body of `name` takes.
    pub fn takes(mut self, name: &str, duration: Duration) -> Self {
        self.script.takes(name, duration);
        self
    }

    /// Limits the time of one invocation, as [`Run::budget`](crate::Run::budget) does. Set how long bodies take with
    /// [`takes`](Self::takes).
    pub fn budget(mut self, limit: Duration) -> Self {
        self.budget = Some(limit);
        self
    }

    /// Limits the number of invocations. Each wait ends one.
    pub fn invocations(mut self, limit: u64) -> Self {
        self.max_invocations = limit;
        self
    }
}

impl<'a, H, S> TestRun<'a, H, S>
where
    S: Sync,
    H: Handler<S>,
{
    /// Runs the handler as the execution `id`, until it ends or cannot continue.
    pub async fn run(self, id: &str, input: H::Input) -> TestOutcome<H::Output> {
        let limit = self.max_invocations;
        let mut stepper = self.start(id, input).await;
        while stepper.count() < limit && stepper.invocation().await {}
        stepper.finish().await
    }

    /// Starts the execution `id`, to be run one invocation at a time.
    pub async fn start(self, id: &str, input: H::Input) -> Stepper<'a, H, S> {
        let parsed = id.parse();
        let parsed = parsed.map_err(|error: InvalidExecutionId| RunError::Usage(error.to_string()));
        let started = match &parsed {
            Ok(id) => self.world.start::<H>(id, &input).await,
            Err(_) => Ok(()),
        };
        let (id, refused) = match (parsed, started) {
            (Ok(id), Ok(())) => (id, None),
            (Ok(id), Err(error)) => (id, Some(error)),
            (Err(error), _) => (ExecutionId::placeholder(), Some(error)),
        };
        let setup = Setup {
            world: self.world.clone(),
            script: Arc::new(self.script),
            treatment: Treatment::Undisturbed,
            reused: Arc::default(),
            budget: self.budget,
        };
        Stepper {
            process: Process::new(id.clone(), bind::<H, _>(self.state), setup),
            handler: PhantomData,
            world: self.world,
            id,
            stage: refused.map(Err),
        }
    }
}

/// An execution that is run one invocation at a time. Created by [`TestRun::start`].
pub struct Stepper<'a, H, S> {
    process: Process<'a>,
    handler: PhantomData<fn() -> (H, S)>,
    world: World,
    id: ExecutionId,
    stage: Option<Result<Stage, RunError>>,
}

impl<H, S> Stepper<'_, H, S>
where
    S: Sync,
    H: Handler<S>,
{
    /// Skips time until the next invocation is due and runs it. Returns whether another one follows: false once the
    /// execution has ended, or waits for something that the test does not provide.
    pub async fn invocation(&mut self) -> bool {
        if matches!(
            self.stage,
            None | Some(Ok(Stage::Suspended(_) | Stage::Waits(_)))
        ) {
            self.stage = Some(self.process.step().await);
        }
        matches!(self.stage, Some(Ok(Stage::Suspended(_))))
    }

    /// Number of invocations so far.
    pub fn count(&self) -> u64 {
        self.process.invocations.count()
    }

    /// The world that the execution runs in, to act between two invocations.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The recorded operations, as of the last invocation.
    pub async fn history(&self) -> History {
        self.world.history(&self.id).await
    }

    /// Advances the clock.
    pub fn skip(&self, time: Duration) {
        self.world.clock().advance(time);
    }

    /// Returns the result as of the last invocation.
    pub async fn finish(self) -> TestOutcome<H::Output> {
        let end = End::of(self.stage);
        let boundaries = Arc::clone(&self.process.boundaries);
        let no_output = RunError::Usage("the output is in the end of the run".into());
        let report = self.process.invocations.report(Err(no_output));
        TestOutcome::new(&self.world, &self.id, end, &boundaries, report).await
    }
}
