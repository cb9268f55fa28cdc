//! What came of one whole run, and what of it another run has to have in common.

use std::collections::{BTreeMap, HashSet};

use super::boundaries::{Boundary, Key, Recorded};
use super::diff::diff;
use super::history::{History, Operation, shown};
use super::process::Stage;
use super::script::Pattern;
use crate::ExecutionId;
use crate::engine::Drift;
use crate::model::error::ErrorKind;
use crate::model::record::{Kind, Status};

/// What came of one whole run.
pub(super) struct RunSnapshot {
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
    pub(super) begun_after: BTreeMap<Key, (String, u32)>,
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

/// The scopes whose inside two runs may disagree about. Scopes come before what they hold.
#[derive(Default)]
struct Scopes {
    /// Races: what their losers came to depends on when they were given up.
    races: Vec<String>,
    /// What may be complete before all of it has ended.
    fans: Vec<String>,
}

impl Scopes {
    fn outcome(&mut self, operation: &Operation) -> Outcome {
        let (path, kind) = (operation.path(), operation.kind());
        let inside = |scopes: &[String]| {
            let mut scopes = scopes.iter();
            scopes.any(|scope| {
                path.strip_prefix(&**scope)
                    .is_some_and(|rest| rest.starts_with('/'))
            })
        };
        // Where batches begin and end depends on whether one was cut off.
        let free = inside(&self.races) || matches!(kind, Kind::Batch | Kind::Wait);
        let may_lack = inside(&self.fans);
        match kind {
            Kind::Race => self.races.push(path.to_owned()),
            Kind::Map | Kind::Parallel => self.fans.push(path.to_owned()),
            _ => {}
        }
        Outcome {
            path: path.to_owned(),
            line: line(operation),
            free,
            may_lack,
        }
    }
}

impl RunSnapshot {
    /// What `other` does not have in common with it, in words; nothing if it is the same. The values of
    /// what `varies` may differ.
    pub(super) fn compare(&self, other: &Self, varies: &[Pattern]) -> Vec<String> {
        let mut found = other.ran_again(self);
        // That it is not known whether a body has run is the right answer to a crash in it: what
        // follows from that is another story.
        if other.is_interrupted() {
            return found;
        }
        found.extend(difference("how it ends", &[&self.end], &[&other.end]));
        let drift: Vec<String> = other.drift.iter().map(ToString::to_string).collect();
        found.extend((!drift.is_empty()).then(|| format!("drift:\n    {}", drift.join("\n    "))));
        let (left, right) = self.outcomes(other, varies);
        found.extend(difference("what is recorded", &left, &right));
        if let (Some(left), Some(right)) = (&self.view, &other.view) {
            let (left, right): (Vec<_>, Vec<_>) = (left.lines().collect(), right.lines().collect());
            found.extend(difference("what is seen of the state", &left, &right));
        }
        found
    }

    /// The recorded outcomes that both have to agree on, as lines.
    fn outcomes(&self, other: &Self, varies: &[Pattern]) -> (Vec<String>, Vec<String>) {
        let (left, right) = (self.settled(), other.settled());
        let agree = |(key, line): (&Key, &Outcome), there: &BTreeMap<Key, Outcome>| {
            let varies = varies.iter().any(|of| of.matches(&line.path));
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
            let mut scopes = Scopes::default();
            for operation in history.operations() {
                let outcome = scopes.outcome(operation);
                let ended = operation.status().is_terminal();
                if ended && operation.status() != Status::Cancelled {
                    let key = (history.id().clone(), operation.record().id);
                    outcomes.insert(key, outcome);
                }
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

pub(super) fn records(
    histories: &[History],
) -> impl Iterator<Item = (&ExecutionId, &crate::Record)> {
    operations(histories).map(|(id, operation)| (id, operation.record()))
}

fn difference<T: AsRef<str>>(what: &str, left: &[T], right: &[T]) -> Option<String> {
    let difference = diff(left, right)?;
    Some(format!(
        "{what} (- before, + now):\n{}",
        difference.trim_end()
    ))
}

pub(super) fn ended(stage: &Stage) -> String {
    match stage {
        Stage::Succeeded(output) => format!("it succeeds: {}", shown(output)),
        Stage::Failed(error) => format!("it fails: {error}"),
        Stage::Blocked(report) => format!("it is blocked: {report}"),
        Stage::Suspended(_) => "it is suspended".to_owned(),
        Stage::Waits(operations) => format!("it waits for ever for {}", operations.join(", ")),
        Stage::Died(boundary) => format!("its process dies {boundary}"),
    }
}
