//! Whole runs in worlds of their own, and what two of them have to have in common.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::diff::diff;
use super::history::{History, Operation, shown};
use super::process::{Process, Setup, Stage};
use super::run::TestRun;
use super::script::Pattern;
use super::watch::{Boundary, Key, Recorded, Treatment, settled};
use super::world::World;
use crate::engine::Drift;
use crate::error::ErrorKind;
use crate::record::{Kind, Status};
use crate::run::RunError;
use crate::site::{Durable, Handler};
use crate::{ExecutionId, InvalidExecutionId};

/// What a tool of the testing kit has found: two runs that should be the same are not.
///
/// `Debug` shows the same text as `Display`, for `unwrap`.
pub struct Finding {
    text: String,
    boundary: Option<Boundary>,
}

impl Finding {
    pub(super) fn new(text: String) -> Self {
        Self {
            text,
            boundary: None,
        }
    }

    pub(super) fn at(text: String, boundary: Boundary) -> Self {
        Self {
            text,
            boundary: Some(boundary),
        }
    }

    /// Where the process had died.
    pub fn boundary(&self) -> Option<&Boundary> {
        self.boundary.as_ref()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Finding {}

impl From<RunError> for Finding {
    fn from(error: RunError) -> Self {
        Self::new(format!("the handler could not be run: {error}"))
    }
}

type Given<H> = Box<dyn Fn(TestRun<'static, H, ()>) -> TestRun<'static, H, ()>>;
type View<S> = Box<dyn Fn(&S) -> String>;

/// How a handler is run, again and again.
pub(super) struct Scenario<H: Durable, S> {
    pub(super) id: ExecutionId,
    pub(super) input: H::Input,
    pub(super) state: Box<dyn Fn(&World) -> S>,
    pub(super) given: Given<H>,
    pub(super) view: Option<View<S>>,
    pub(super) varies: Vec<Pattern>,
}

/// What came of one whole run.
pub(super) struct Scene {
    /// How it ended, in words.
    pub(super) end: String,
    pub(super) histories: Vec<History>,
    pub(super) begun: BTreeMap<Key, (String, u32)>,
    pub(super) boundaries: Vec<Boundary>,
    pub(super) recorded: Recorded,
    pub(super) drift: Vec<Drift>,
    /// What the test sees of the state.
    pub(super) view: Option<String>,
    /// Where its first process died, and what was settled by then.
    pub(super) died: Option<(Boundary, HashSet<Key>)>,
    /// Bodies that began after that.
    begun_after: BTreeMap<Key, (String, u32)>,
}

impl<H, S> Scenario<H, S>
where
    S: Sync,
    H: Handler<S>,
    H::Input: Serialize + DeserializeOwned + Send + 'static,
    H::Output: Serialize + DeserializeOwned + Send + 'static,
{
    pub(super) fn new(input: H::Input, state: impl Fn(&World) -> S + 'static) -> Self {
        Self {
            id: ExecutionId::unusable(),
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

    /// Runs it in a fresh world; after the process has died, in another one to the end.
    pub(super) async fn play(
        &self,
        treatment: Treatment,
        given: &Arc<Recorded>,
    ) -> Result<Scene, Finding> {
        let world = World::new();
        world.start::<H>(&self.id, &self.input).await?;
        let state = (self.state)(&world);
        let (script, budget) = (self.given)(TestRun::of_handler()).into_script();
        let script = Arc::new(script);
        let setup = |treatment| Setup {
            world: world.clone(),
            script: Arc::clone(&script),
            treatment,
            given: Arc::clone(given),
            budget,
        };
        let mut first = Process::<H, S>::new(self.id.clone(), &state, setup(treatment));
        let mut stage = first.run(u64::MAX).await?;
        let watch = Arc::clone(&first.watch);
        let mut invocations = first.invocations;
        let (mut died, mut begun_after) = (None, BTreeMap::new());
        if let Stage::Died(boundary) = stage {
            drop(invocations);
            let histories = world.histories().await.map_err(RunError::from)?;
            died = Some((boundary, settled(records(&histories))));
            let mut second = Process::<H, S>::new(self.id.clone(), &state, setup(Treatment::Quiet));
            stage = second.run(u64::MAX).await?;
            begun_after = second.watch.begun();
            invocations = second.invocations;
        }
        let nothing = RunError::Usage(String::new());
        let mut begun = watch.begun();
        for (key, (path, count)) in &begun_after {
            begun
                .entry(key.clone())
                .or_insert_with(|| (path.clone(), 0))
                .1 += count;
        }
        Ok(Scene {
            end: ended(&stage),
            histories: world.histories().await.map_err(RunError::from)?,
            begun,
            boundaries: watch.boundaries(),
            recorded: watch.take_recorded(),
            drift: invocations.report(Err(nothing)).drift,
            view: self.view.as_ref().map(|view| view(&state)),
            died,
            begun_after,
        })
    }

    /// What `other` does not have in common with `first`, in words; nothing if it is the same.
    pub(super) fn compare(&self, first: &Scene, other: &Scene) -> Vec<String> {
        let mut found = other.ran_again(first);
        // That it is not known whether a body has run is the right answer to a crash in it: what
        // follows from that is another story.
        if other.is_interrupted() {
            return found;
        }
        found.extend(difference("how it ends", &[&first.end], &[&other.end]));
        let drift: Vec<String> = other.drift.iter().map(ToString::to_string).collect();
        found.extend((!drift.is_empty()).then(|| format!("drift:\n    {}", drift.join("\n    "))));
        let (left, right) = self.outcomes(first, other);
        found.extend(difference("what is recorded", &left, &right));
        if let (Some(left), Some(right)) = (&first.view, &other.view) {
            let (left, right): (Vec<_>, Vec<_>) = (left.lines().collect(), right.lines().collect());
            found.extend(difference("what is seen of the state", &left, &right));
        }
        found
    }

    /// The recorded outcomes that both have to agree on, as lines.
    fn outcomes(&self, first: &Scene, other: &Scene) -> (Vec<String>, Vec<String>) {
        let (left, right) = (first.settled(), other.settled());
        let agree = |(key, line): (&Key, &Outcome), there: &BTreeMap<Key, Outcome>| {
            let varies = self.varies.iter().any(|of| of.matches(&line.path));
            match there.get(key) {
                _ if line.free || varies => false,
                None => !line.may_lack,
                Some(_) => true,
            }
        };
        let lines = |of: &BTreeMap<Key, Outcome>, there: &BTreeMap<Key, Outcome>| {
            let wanted = of.iter().filter(|one| agree(*one, there));
            let mut lines: Vec<String> = wanted.map(|(_, outcome)| outcome.line.clone()).collect();
            lines.sort();
            lines
        };
        (lines(&left, &right), lines(&right, &left))
    }
}

/// A settled operation, as a line, and how far it is compared.
struct Outcome {
    path: String,
    line: String,
    /// Not compared at all.
    free: bool,
    /// Compared only where the other run has it.
    may_lack: bool,
}

impl Scene {
    /// Whether an operation ended because it is not known whether its body had run.
    fn is_interrupted(&self) -> bool {
        operations(&self.histories).any(|(_, operation)| {
            let error = operation.error();
            error.is_some_and(|error| error.kind() == ErrorKind::Interrupted)
        })
    }

    /// The bodies that began although their outcome was in the store, or more often than one crash
    /// explains.
    fn ran_again(&self, undisturbed: &Self) -> Vec<String> {
        let Some((_, settled)) = &self.died else {
            return Vec::new();
        };
        let again = self
            .begun_after
            .iter()
            .filter(|(key, _)| settled.contains(key));
        let again = again.map(|(_, (path, _))| {
            format!("the body of `{path}` ran again, although its outcome was in the store")
        });
        let too_often = self.begun.iter().filter_map(|(key, (path, count))| {
            let (_, before) = undisturbed.begun.get(key)?;
            (*count > before + 1).then(|| {
                format!("the body of `{path}` ran {count} times for {before} without the crash")
            })
        });
        again.chain(too_often).collect()
    }

    /// The operations that have ended, those apart about which two runs may disagree.
    fn settled(&self) -> BTreeMap<Key, Outcome> {
        let mut outcomes = BTreeMap::new();
        for history in &self.histories {
            // Scopes come before what they hold.
            let mut loose: HashSet<String> = HashSet::new();
            let mut raced: HashSet<String> = HashSet::new();
            for operation in history.operations() {
                let (path, kind) = (operation.path(), operation.kind());
                let inside = |scopes: &HashSet<String>| {
                    let parent = path.rfind('/').map(|at| &path[..at]);
                    parent.is_some_and(|parent| {
                        scopes.iter().any(|scope| {
                            parent == scope || parent.starts_with(&format!("{scope}/"))
                        })
                    })
                };
                let (free, may_lack) = (inside(&raced), inside(&loose));
                match kind {
                    Kind::Race => raced.insert(path.to_owned()),
                    Kind::Map | Kind::Parallel => loose.insert(path.to_owned()),
                    _ => false,
                };
                if !operation.status().is_terminal() || operation.status() == Status::Cancelled {
                    continue;
                }
                // Where batches begin and end depends on whether one was cut off.
                let free = free || matches!(kind, Kind::Batch | Kind::Wait);
                let key = (history.id().clone(), operation.record().id);
                let outcome = Outcome {
                    path: path.to_owned(),
                    line: line(operation),
                    free,
                    may_lack,
                };
                outcomes.insert(key, outcome);
            }
        }
        outcomes
    }

    /// What was decided by who came first: another order may decide otherwise.
    pub(super) fn decisions(&self) -> Vec<(String, String)> {
        let deciding = operations(&self.histories).filter(|(_, operation)| {
            matches!(operation.kind(), Kind::Race | Kind::Map | Kind::Parallel)
        });
        let payload = |operation: &Operation| {
            let payload = operation.record().payload.as_ref();
            payload.map_or_else(String::new, shown)
        };
        deciding
            .map(|(_, operation)| (operation.path().to_owned(), payload(operation)))
            .collect()
    }
}

fn line(operation: &Operation) -> String {
    format!("{}: {}", operation.path(), operation.line().trim_start())
}

fn operations(histories: &[History]) -> impl Iterator<Item = (&ExecutionId, &Operation)> {
    histories.iter().flat_map(|history| {
        let operations = history.operations().iter();
        operations.map(|operation| (history.id(), operation))
    })
}

fn records(histories: &[History]) -> impl Iterator<Item = (&ExecutionId, &crate::Record)> {
    operations(histories).map(|(id, operation)| (id, operation.record()))
}

fn difference<T: AsRef<str>>(what: &str, left: &[T], right: &[T]) -> Option<String> {
    let difference = diff(left, right)?;
    Some(format!(
        "{what} (- before, + now):\n{}",
        difference.trim_end()
    ))
}

fn ended(stage: &Stage) -> String {
    match stage {
        Stage::Succeeded(output) => format!("it succeeds: {}", shown(output)),
        Stage::Failed(error) => format!("it fails: {error}"),
        Stage::Blocked(report) => format!("it is blocked: {report}"),
        Stage::Suspended(_) => "it is suspended".to_owned(),
        Stage::Waits(operations) => format!("it waits for ever for {}", operations.join(", ")),
        Stage::Died(boundary) => format!("its process dies {boundary}"),
    }
}
