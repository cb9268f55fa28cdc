//! The committed list of names.

use std::fmt::Write as _;
use std::path::Path;

use super::diff::diff;
use super::history::History;
use super::outcome::TestOutcome;
use crate::OperationId;
use crate::lock::{Difference, Lock, LockedHandler, compare};
use crate::model::record::{Kind, Record};
use crate::runtime::handler::{Durable, IntoHandler};

/// The environment variable that says what to do with a lock.
const VARIABLE: &str = "DURABLE_LOCK";

/// Checks that executions in flight find what they have recorded: compares the names of handlers with those
/// in a file that is committed.
///
/// `names!("durable.lock", [import, order])` stands in a test. The path is that of a file in the package that is
/// tested. What the code has in addition is fine. What the file has and the code has not, under that name or by
/// `was`, fails the test with the difference and the line to write; so does another kind, and another way
/// of telling runs apart.
///
/// | `DURABLE_LOCK` | |
/// |---|---|
/// | not set | additions are fine |
/// | `update` | rewrites the file, additions and removals: `DURABLE_LOCK=update cargo test` |
/// | `strict` | the file has to be up to date, for CI |
///
/// The attribute does not know the types of values. With `observed = [&run, …]`, test runs or histories of
/// these handlers, the file keeps the types that they have recorded, and a value that is of another type from
/// then on fails the test. Types that nobody has observed stay as they are in the file.
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
/// When executions in flight would not find what they have recorded, or the file cannot be read.
#[macro_export]
macro_rules! names {
    ($path:expr, [$($handler:expr),* $(,)?] $(, observed = [$($run:expr),* $(,)?])? $(,)?) => {
        $crate::testing::Names::new()
            $(.handler($handler))*
            $($(.observed($run))*)?
            .check(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path))
    };
}

/// The names of handlers, to be compared with a file. Made by `names!`.
#[derive(Debug, Default)]
pub struct Names {
    handlers: Vec<LockedHandler>,
}

/// What tells the types of values: a test run, or a history.
pub trait Observed {
    /// Name of the handler, and what is recorded of each of its runs.
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
    /// The names of no handler.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with those of this handler.
    #[must_use]
    pub fn handler<F: IntoHandler>(mut self, _handler: F) -> Self
    where
        F::Handler: Durable,
    {
        self.handlers.push(LockedHandler::of::<F::Handler>());
        self
    }

    /// The same with the types that a run has recorded.
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

    /// Compares them with the file at `path`, or rewrites it, as the environment says.
    ///
    /// # Panics
    ///
    /// See [`names!`](crate::names).
    #[track_caller]
    pub fn check(self, path: &str) {
        let wanted = std::env::var(VARIABLE).unwrap_or_default();
        let checked = self.check_as(Path::new(path), &wanted);
        assert!(checked.is_ok(), "{}", checked.err().unwrap_or_default());
    }

    /// The same as `wanted` says: nothing, `update` or `strict`.
    ///
    /// # Errors
    ///
    /// What the test fails with.
    pub fn check_as(self, path: &Path, wanted: &str) -> Result<(), String> {
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
        match wanted {
            "update" if text.as_ref() == Some(&new) => Ok(()),
            "update" => write(path, &new).map_err(|error| format!("cannot write {shown}: {error}")),
            "" | "strict" if text.is_none() => Err(format!(
                "there is no {shown} yet: write it with `{VARIABLE}=update cargo test`, and commit it"
            )),
            "" | "strict" => {
                let found = compare(&locked, &now);
                if !found.is_empty() {
                    return Err(told(&shown.to_string(), &found, &locked, &now));
                }
                if wanted == "strict" && text.as_ref() != Some(&new) {
                    let difference = difference(&locked, &now);
                    return Err(format!(
                        "{shown} is not up to date (- there, + in the code):\n{difference}\
                         Write it with `{VARIABLE}=update cargo test`."
                    ));
                }
                Ok(())
            }
            other => Err(format!(
                "{VARIABLE} is {other:?}: leave it out, or write `update` or `strict`"
            )),
        }
    }
}

fn told(path: &str, found: &[Difference], locked: &Lock, now: &Lock) -> String {
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

/// Readers find the old file or the new one, never a part.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    std::fs::write(&unfinished, text)?;
    std::fs::rename(unfinished, path)
}
