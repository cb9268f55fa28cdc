//! One run of a handler, with everything that comes from outside given by name.

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
use crate::model::error::BoxError;
use crate::run::RunError;
use crate::runtime::handler::{Durable, Handler, IntoHandler};
use crate::{ExecutionId, InvalidExecutionId};

/// A run of a handler in memory, where waits take no time.
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
/// Names of operations are given as a path with its scopes (`files[a.csv]/load[3]`), as histories write
/// the operation (`load[3]`), or as the name of a call site, for each of its runs (`load`).
#[must_use = "a test run does nothing until it is run"]
pub struct TestRun<'a, H, S> {
    world: World,
    script: Script,
    state: &'a S,
    budget: Option<Duration>,
    most: u64,
    handler: PhantomData<fn() -> H>,
}

impl<H: Durable> TestRun<'static, H, ()> {
    /// A run of `handler`, in a world of its own.
    pub fn new<F: IntoHandler<Handler = H>>(_handler: F) -> Self {
        Self::of_handler()
    }

    pub(super) fn of_handler() -> Self {
        Self {
            world: World::new(),
            script: Script::default(),
            state: &(),
            budget: None,
            most: u64::MAX,
            handler: PhantomData,
        }
    }
}

impl<'a, H: Durable, S> TestRun<'a, H, S> {
    /// What was said about the outside, and the time of an invocation.
    pub(super) fn into_script(self) -> (Script, Option<Duration>) {
        (self.script, self.budget)
    }

    /// The state that the handler takes by reference.
    pub fn state<T>(self, state: &T) -> TestRun<'_, H, T> {
        TestRun {
            world: self.world,
            script: self.script,
            state,
            budget: self.budget,
            most: self.most,
            handler: PhantomData,
        }
    }

    /// What the execution runs in: for a state that needs a client or the clock.
    pub fn world(&self) -> World {
        self.world.clone()
    }

    /// Runs in this world, with the executions and the time that are there.
    pub fn within(mut self, world: &World) -> Self {
        self.world = world.clone();
        self
    }

    /// Answers the callback `name` with this value, as soon as it is waited for.
    pub fn callback<T: Serialize>(self, name: &str, value: T) -> Self {
        self.callback_after(name, Duration::ZERO, value)
    }

    /// Answers the callback `name` with this value, so long after its start.
    pub fn callback_after<T: Serialize>(mut self, name: &str, after: Duration, value: T) -> Self {
        let outcome = script::succeed(name, &value);
        self.script.callback(name, after, outcome);
        self
    }

    /// Ends the callback `name` with this error, as soon as it is waited for.
    pub fn fail_callback(mut self, name: &str, error: impl Into<BoxError>) -> Self {
        let outcome = script::fail(name, error);
        self.script.callback(name, Duration::ZERO, outcome);
        self
    }

    /// Answers for the other execution that `name` stands for: the operation, or the function it runs.
    /// That is not run.
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

    /// The first `times` attempts at each operation that `name` stands for fail with this error. Their
    /// bodies are not run.
    pub fn fail_step<E>(mut self, name: &str, error: E, times: u32) -> Self
    where
        E: Into<BoxError> + Clone + Send + Sync + 'static,
    {
        self.script.fail_step(name, error, times);
        self
    }

    /// The first `times` attempts at each operation that `name` stands for take longer than they may.
    /// Their bodies are not run.
    pub fn time_out_step(mut self, name: &str, times: u32) -> Self {
        self.script.time_out_step(name, times);
        self
    }

    /// The body of `name` takes this long, each time.
    pub fn takes(mut self, name: &str, duration: Duration) -> Self {
        self.script.takes(name, duration);
        self
    }

    /// How long one invocation may take, as with [`Run::budget`](crate::Run::budget). How long bodies
    /// take is said with [`takes`](Self::takes).
    pub fn budget(mut self, limit: Duration) -> Self {
        self.budget = Some(limit);
        self
    }

    /// At most this many invocations; each wait ends one.
    pub fn invocations(mut self, most: u64) -> Self {
        self.most = most;
        self
    }
}

impl<'a, H, S> TestRun<'a, H, S>
where
    S: Sync,
    H: Handler<S>,
{
    /// Runs the handler as the execution `id`, to its end or as far as it can come.
    pub async fn run(self, id: &str, input: H::Input) -> TestOutcome<H::Output> {
        let most = self.most;
        let mut stepper = self.start(id, input).await;
        while stepper.count() < most && stepper.invocation().await {}
        stepper.finish().await
    }

    /// Starts the execution `id`, to be run one invocation after another.
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
            treatment: Treatment::Quiet,
            given: Arc::default(),
            budget: self.budget,
        };
        Stepper {
            process: Process::new(id.clone(), self.state, setup),
            world: self.world,
            id,
            stage: refused.map(Err),
        }
    }
}

/// An execution that is run one invocation after another. Made by [`TestRun::start`].
pub struct Stepper<'a, H, S> {
    process: Process<'a, H, S>,
    world: World,
    id: ExecutionId,
    stage: Option<Result<Stage, RunError>>,
}

impl<H, S> Stepper<'_, H, S>
where
    S: Sync,
    H: Handler<S>,
{
    /// Skips time until the next invocation is due and runs it. Answers with whether there is
    /// another: not once the execution has ended, or waits for what nobody will give it.
    pub async fn invocation(&mut self) -> bool {
        if matches!(
            self.stage,
            None | Some(Ok(Stage::Suspended(_) | Stage::Waits(_)))
        ) {
            self.stage = Some(self.process.step().await);
        }
        matches!(self.stage, Some(Ok(Stage::Suspended(_))))
    }

    /// Invocations so far.
    pub fn count(&self) -> u64 {
        self.process.invocations.count()
    }

    /// What the execution runs in, to act between two invocations.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The recorded operations, as of the last invocation.
    pub async fn history(&self) -> History {
        self.world.history(&self.id).await
    }

    /// Moves the time on.
    pub fn skip(&self, time: Duration) {
        self.world.clock().advance(time);
    }

    /// What has become of it, as of the last invocation.
    pub async fn finish(self) -> TestOutcome<H::Output> {
        let end = End::of(self.stage);
        let watch = Arc::clone(&self.process.watch);
        let nothing = RunError::Usage("the output is told by the end of the run".into());
        let report = self.process.invocations.report(Err(nothing));
        TestOutcome::new(&self.world, &self.id, end, &watch, report).await
    }
}
