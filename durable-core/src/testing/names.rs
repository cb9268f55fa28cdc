//! Compares the code with the committed list of names.

use std::fmt::Write as _;
use std::path::Path;

use super::diff::diff;
use super::history::History;
use super::outcome::TestOutcome;
use crate::OperationId;
use crate::lock::{Difference, Lock, LockedHandler, compare};
use crate::model::record::{Kind, Record};
use crate::runtime::handler::{Durable, IntoHandler};

/// Environment variable that selects what to do with the file.
const VARIABLE: &str = "DURABLE_LOCK";

/// Checks that executions in flight will find their records: compares the names of handlers and operations with a
/// committed file.
///
/// Call `names!("durable.lock", [import, order])` in a test. The path is relative to the package under test.
/// Additions in the code are allowed. A name that is in the file must be in the code too, under that name or in a
/// `was`, with the same kind and the same way to tell occurrences apart. Otherwise the test fails with the
/// difference and the line to write.
///
/// | `DURABLE_LOCK` | effect |
/// |---|---|
/// | not set | additions are allowed |
/// | `update` | rewrites the file with additions and removals: `DURABLE_LOCK=update cargo test` |
/// | `strict` | the file must be up to date; for CI |
///
/// The attribute does not know the types of values. List test runs or histories of these handlers as
/// `observed = [&run, …]` to record the types in the file. From then on, a value of another type fails the test.
/// Types that are not observed stay as they are in the file.
///
/// ```no_run
/// # use durable_core::*;
/// # use durable_core::testing::{TestRun, names};
/// # async fn f<A, B>(import: A, order: B) where A: IntoHandler + Copy, A::Handler: Handler<()> + Durable<Input = u32, Output = u32>, B: IntoHandler {
/// let run = TestRun::new(import).run("a", 3).await;
/// names!("durable.lock", [import, order], observed = [&run]);
/// # }
/// ```
///
/// # Panics
///
/// Panics if executions in flight would not find their records, or if the file cannot be read.
#[macro_export]
macro_rules! names {
    ($path:expr, [$($handler:expr),* $(,)?] $(, observed = [$($run:expr),* $(,)?])? $(,)?) => {
        $crate::testing::Names::new()
            $(.handler($handler))*
            $($(.observed($run))*)?
            .check(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path))
    };
}

/// Names of handlers and their operations, to be compared with a file. Created by [`names!`](crate::names).
#[derive(Debug, Default)]
pub struct Names {
    handlers: Vec<LockedHandler>,
}

/// A source of value types: a test run or a history.
pub trait Observed {
    /// The name of the handler and the records of each run.
    fn records(&self) -> Vec<(String, Vec<Record>)>;
}

impl Observed for History {
    fn records(&self) -> Vec<(String, Vec<Record>)> {
        let operations = self.operations().iter();
        let records = operations.map(|operation| operation.record().clone());
        vec![(self.execution().handler.clone(), records.collect())]
    }
}

impl<O> Observed for TestOutcome<O> {
    fn records(&self) -> Vec<(String, Vec<Record>)> {
        let histories = self.others().iter().chain([self.history()]);
        histories.flat_map(Observed::records).collect()
    }
}

impl Names {
    /// Creates an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the names of this handler.
    #[must_use]
    pub fn handler<F: IntoHandler>(mut self, _handler: F) -> Self
    where
        F::Handler: Durable,
    {
        self.handlers.push(LockedHandler::of::<F::Handler>());
        self
    }

    /// Adds the types that a run has recorded.
    #[must_use]
    pub fn observed(mut self, run: &impl Observed) -> Self {
        for (name, records) in run.records() {
            self.observe(&name, &records, OperationId::ROOT);
            for call in records.iter().filter(|record| record.kind == Kind::Call) {
                let function = call.handle.as_deref().unwrap_or_default();
                self.observe(function, &records, call.id);
            }
        }
        self
    }

    fn observe(&mut self, handler: &str, records: &[Record], scope: OperationId) {
        let mut handlers = self.handlers.iter_mut();
        if let Some(handler) = handlers.find(|one| one.name == handler) {
            handler.observe(records, scope);
        }
    }

    /// Compares the names with the file at `path`, or rewrites it, depending on the environment.
    ///
    /// # Panics
    ///
    /// See [`names!`](crate::names).
    #[track_caller]
    pub fn check(self, path: &str) {
        let mode = std::env::var(VARIABLE).unwrap_or_default();
        let checked = self.check_as(Path::new(path), &mode);
        assert!(checked.is_ok(), "{}", checked.err().unwrap_or_default());
    }

    /// Does the same for an explicit `mode`: empty, `update` or `strict`.
    ///
    /// # Errors
    ///
    /// Returns the message that the test fails with.
    pub fn check_as(self, path: &Path, mode: &str) -> Result<(), String> {
        let mut now = Lock::new(self.handlers);
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(format!("cannot read {shown}: {error}")),
        };
        let locked = match &text {
            None => Lock::default(),
            Some(text) => text.parse().map_err(|error| format!("{shown}: {error}"))?,
        };
        now.keep_types(&locked);
        let new = now.to_string();
        match mode {
            "update" if text.as_ref() == Some(&new) => Ok(()),
            "update" => write(path, &new).map_err(|error| format!("cannot write {shown}: {error}")),
            "" | "strict" if text.is_none() => Err(format!(
                "{shown} does not exist yet: create it with `{VARIABLE}=update cargo test`, and commit it"
            )),
            "" | "strict" => {
                let found = compare(&locked, &now);
                if !found.is_empty() {
                    return Err(report(&shown.to_string(), &found, &locked, &now));
                }
                if mode == "strict" && text.as_ref() != Some(&new) {
                    let difference = difference(&locked, &now);
                    return Err(format!(
                        "{shown} is not up to date (- file, + code):\n{difference}\
                         Update it with `{VARIABLE}=update cargo test`."
                    ));
                }
                Ok(())
            }
            other => Err(format!(
                "invalid {VARIABLE} {other:?}: unset it, or use `update` or `strict`"
            )),
        }
    }
}

fn report(path: &str, found: &[Difference], locked: &Lock, now: &Lock) -> String {
    let mut text =
        format!("executions in flight would not find what {path} says they have recorded:\n");
    for one in found {
        let _ = writeln!(text, "\n  {}", one.what);
        if let Some(paste) = &one.paste {
            let _ = writeln!(text, "    write {paste}");
        }
    }
    let difference = difference(locked, now);
    let _ = write!(
        text,
        "\nThe file (-) and the code (+):\n{difference}\n\
         If no execution in flight has any of it: `{VARIABLE}=update cargo test` rewrites the file."
    );
    text
}

fn difference(locked: &Lock, now: &Lock) -> String {
    let (left, right) = (locked.to_string(), now.to_string());
    let (left, right): (Vec<_>, Vec<_>) = (left.lines().collect(), right.lines().collect());
    diff(&left, &right).unwrap_or_default()
}

/// Replaces the file atomically: readers see the old file or the new one.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    std::fs::write(&unfinished, text)?;
    std::fs::rename(unfinished, path)
}
