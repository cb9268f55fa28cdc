//! Complete runs, each in a new world.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::boundaries::{RecordedValues, Treatment, settled};
use super::finding::Finding;
use super::process::{Process, Setup, Stage};
use super::run::TestRun;
use super::run_snapshot::{RunSnapshot, ended, records};
use super::script::Pattern;
use super::world::World;
use crate::run::RunError;
use crate::runtime::any_handler::bind;
use crate::runtime::handler::{Durable, Handler};
use crate::{ExecutionId, InvalidExecutionId};

type Given<H> = Box<dyn Fn(TestRun<'static, H, ()>) -> TestRun<'static, H, ()>>;
type View<S> = Box<dyn Fn(&S) -> String>;

/// How to run a handler repeatedly.
pub(super) struct Scenario<H: Durable, S> {
    pub(super) id: ExecutionId,
    pub(super) input: H::Input,
    pub(super) state: Box<dyn Fn(&World) -> S>,
    pub(super) given: Given<H>,
    pub(super) view: Option<View<S>>,
    pub(super) varies: Vec<Pattern>,
}

impl<H, S> Scenario<H, S>
where
    S: Sync,
    H: Handler<S>,
{
    pub(super) fn new(input: H::Input, state: impl Fn(&World) -> S + 'static) -> Self {
        Self {
            id: ExecutionId::placeholder(),
            input,
            state: Box::new(state),
            given: Box::new(|run| run),
            view: None,
            varies: Vec::new(),
        }
    }

    pub(super) fn named(&mut self, id: &str) -> Result<(), RunError> {
        let parsed = id.parse();
        self.id = parsed.map_err(|error: InvalidExecutionId| RunError::Usage(error.to_string()))?;
        Ok(())
    }

    /// Runs the handler in a new world. If its process dies, another process in the same world resumes the execution.
    pub(super) async fn play(
        &self,
        treatment: Treatment,
        reused: &Arc<RecordedValues>,
    ) -> Result<RunSnapshot, Finding> {
        let world = World::new();
        world.start::<H>(&self.id, &self.input).await?;
        let state = (self.state)(&world);
        let (script, budget) = (self.given)(TestRun::of_handler()).into_script();
        let script = Arc::new(script);
        let setup = |treatment| Setup {
            world: world.clone(),
            script: Arc::clone(&script),
            treatment,
            reused: Arc::clone(reused),
            budget,
        };
        let mut first = Process::new(self.id.clone(), bind::<H, _>(&state), setup(treatment));
        let mut stage = first.run(u64::MAX).await?;
        let boundaries = Arc::clone(&first.boundaries);
        let mut invocations = first.invocations;
        let (mut died, mut begun_after) = (None, BTreeMap::new());
        if let Stage::Died(boundary) = stage {
            drop(invocations);
            let histories = world.histories().await.map_err(RunError::from)?;
            died = Some((boundary, settled(records(&histories))));
            let mut second = Process::new(
                self.id.clone(),
                bind::<H, _>(&state),
                setup(Treatment::Undisturbed),
            );
            stage = second.run(u64::MAX).await?;
            begun_after = second.boundaries.begun();
            invocations = second.invocations;
        }
        let no_output = RunError::Usage(String::new());
        let mut begun = boundaries.begun();
        for (key, (path, count)) in &begun_after {
            begun
                .entry(key.clone())
                .or_insert_with(|| (path.clone(), 0))
                .1 += count;
        }
        Ok(RunSnapshot {
            end: ended(&stage),
            histories: world.histories().await.map_err(RunError::from)?,
            begun,
            boundaries: boundaries.passed(),
            recorded: boundaries.take_recorded(),
            drift: invocations.report(Err(no_output)).drift,
            view: self.view.as_ref().map(|view| view(&state)),
            died,
            begun_after,
        })
    }
}
