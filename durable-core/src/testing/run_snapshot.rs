//! Result of a completed run, and the comparison of two of them.

use std::collections::{BTreeMap, HashSet};

use super::boundaries::{Boundary, Key, RecordedValues};
use super::diff::diff;
use super::history::{History, Operation, shown};
use super::process::Stage;
use super::script::Pattern;
use crate::ExecutionId;
use crate::engine::Drift;
use crate::model::error::ErrorKind;
use crate::model::record::{Kind, Status};

/// Result of a completed run.
pub(super) struct RunSnapshot {
    /// How it ended, in words.
    pub(super) end: String,
    pub(super) histories: Vec<History>,
    pub(super) begun: BTreeMap<Key, (String, u32)>,
    pub(super) boundaries: Vec<Boundary>,
    pub(super) recorded: RecordedValues,
    pub(super) drift: Vec<Drift>,
    /// The view of the state that the test compares.
    pub(super) view: Option<String>,
    /// Where its first process died, and which operations had a final outcome by then.
    pub(super) died: Option<(Boundary, HashSet<Key>)>,
    /// Bodies that began after that.
    pub(super) begun_after: BTreeMap<Key, (String, u32)>,
}

/// An operation with a final outcome: its line, and how strictly it is compared.
struct Outcome {
    path: String,
    line: String,
    /// Excluded from the comparison.
    excluded: bool,
    /// Compared only if the other run has it.
    optional: bool,
}

/// Scopes whose contents may differ between two runs. Scopes come before their contents.
#[derive(Default)]
struct Scopes {
    /// Races. How far a losing arm gets depends on when it was dropped.
    races: Vec<String>,
    /// Maps and parallel branches, which may complete before all branches have ended.
    fan_outs: Vec<String>,
}

impl Scopes {
    fn outcome(&mut self, operation: &Operation) -> Outcome {
        let (path, kind) = (operation.path(), operation.kind());
        let nested_in = |scopes: &[String]| {
            let mut scopes = scopes.iter();
            scopes.any(|scope| {
                path.strip_prefix(&**scope)
                    .is_some_and(|rest| rest.starts_with('/'))
            })
        };
        // A crash changes where batches begin and end.
        let excluded = nested_in(&self.races) || matches!(kind, Kind::Batch | Kind::Wait);
        let optional = nested_in(&self.fan_outs);
        match kind {
            Kind::Race => self.races.push(path.to_owned()),
            Kind::Map | Kind::Parallel => self.fan_outs.push(path.to_owned()),
            _ => {}
        }
        Outcome {
            path: path.to_owned(),
            line: line(operation),
            excluded,
            optional,
        }
    }
}

impl RunSnapshot {
    /// Describes how `other` differs from this run. Returns nothing if they agree. The values of operations that match
    /// `varies` may differ.
    pub(super) fn compare(&self, other: &Self, varies: &[Pattern]) -> Vec<String> {
        let mut found = other.ran_again(self);
        // After a crash in an `at_most_once` body, "interrupted" is the right outcome. What the handler does then is not
        // compared.
        if other.is_interrupted() {
            return found;
        }
        found.extend(difference("the end", &[&self.end], &[&other.end]));
        let drift: Vec<String> = other.drift.iter().map(ToString::to_string).collect();
        found.extend((!drift.is_empty()).then(|| format!("drift:\n    {}", drift.join("\n    "))));
        let (left, right) = self.outcomes(other, varies);
        found.extend(difference("the recorded outcomes", &left, &right));
        let (left, right) = (self.published(varies), other.published(varies));
        found.extend(difference("the published values", &left, &right));
        if let (Some(left), Some(right)) = (&self.view, &other.view) {
            let (left, right): (Vec<_>, Vec<_>) = (left.lines().collect(), right.lines().collect());
            found.extend(difference("the compared state", &left, &right));
        }
        found
    }

    /// The published values, except those whose names match `varies`, as lines.
    fn published(&self, varies: &[Pattern]) -> Vec<String> {
        let histories = self.histories.iter();
        let values = histories.flat_map(|history| {
            let (values, lines) = (history.published_values().iter(), history.published_lines());
            let stays = |name: &str| !varies.iter().any(|of| of.matches(name));
            let lines = values
                .zip(lines)
                .filter(move |(value, _)| stays(&value.name));
            lines.map(|(_, line)| format!("{}: {line}", history.id()))
        });
        values.collect()
    }

    /// The recorded outcomes on which both runs must agree, as lines.
    fn outcomes(&self, other: &Self, varies: &[Pattern]) -> (Vec<String>, Vec<String>) {
        let (left, right) = (self.settled(), other.settled());
        let agree = |(key, line): (&Key, &Outcome), other: &BTreeMap<Key, Outcome>| {
            let varies = varies.iter().any(|of| of.matches(&line.path));
            match other.get(key) {
                _ if line.excluded || varies => false,
                None => !line.optional,
                Some(_) => true,
            }
        };
        let lines = |of: &BTreeMap<Key, Outcome>, other: &BTreeMap<Key, Outcome>| {
            let compared = of.iter().filter(|one| agree(*one, other));
            let mut lines: Vec<String> =
                compared.map(|(_, outcome)| outcome.line.clone()).collect();
            lines.sort();
            lines
        };
        (lines(&left, &right), lines(&right, &left))
    }

    /// Reports whether an operation failed because its body may have been interrupted.
    fn is_interrupted(&self) -> bool {
        operations(&self.histories).any(|(_, operation)| {
            let error = operation.error();
            error.is_some_and(|error| error.kind() == ErrorKind::Interrupted)
        })
    }

    /// Describes the bodies that ran although their outcome was in the store, or more often than one crash explains.
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

    /// The operations that have ended and were not cancelled.
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

    /// Outcomes that depend on which branch finished first. A different order may change them.
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
        Stage::Waits(operations) => format!("it waits indefinitely for {}", operations.join(", ")),
        Stage::Died(boundary) => format!("its process dies {boundary}"),
    }
}
