//! Recorded histories against today's code.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use super::export::Export;
use super::finding::Finding;
use super::process::Stage;
use super::rerun::{Rerun, other_end, rerun};
use crate::engine::Drift;
use crate::runtime::handler::{Handler, IntoHandler};

/// Runs `handler` against the recorded history in `file`, without running a single body: what would
/// become of the execution if this code took it over?
///
/// The file is what `durable show ID --json --full` prints; a folder stands for all its `.json` files. It is
/// looked for from the folder of the package that is tested.
///
/// ```no_run
/// use durable_core::testing::replay;
/// # use durable_core::*;
/// # async fn f<F>(import: F) where F: IntoHandler, F::Handler: Handler<()> + Durable<Input = u32, Output = u32> {
/// replay(import, "tests/histories").await.unwrap();
/// # }
/// ```
///
/// Awaited, it says what was replayed, or fails with a [`Finding`]: the steps that would run again, the
/// records that the code never asks for, the values that it cannot read. Values that are left out of the
/// file because they are secret or sealed cannot be checked, nor what comes after them: that is said.
pub fn replay<F: IntoHandler>(
    _handler: F,
    file: impl AsRef<Path>,
) -> Replay<'static, F::Handler, ()> {
    Replay {
        path: file.as_ref().to_owned(),
        state: &(),
        handler: PhantomData,
    }
}

/// A replay to come. Made by [`replay`], awaited for its [`Replayed`].
#[must_use = "nothing is replayed until it is awaited"]
pub struct Replay<'a, H, S> {
    path: PathBuf,
    state: &'a S,
    handler: PhantomData<fn() -> H>,
}

impl<'a, H, S> Replay<'a, H, S> {
    /// The state that the handler takes by reference. No body sees it.
    pub fn state<T>(self, state: &T) -> Replay<'_, H, T> {
        Replay {
            path: self.path,
            state,
            handler: PhantomData,
        }
    }
}

/// The histories that today's code goes on with as it should.
#[derive(Debug)]
pub struct Replayed {
    notes: Vec<String>,
    count: usize,
}

impl Replayed {
    /// How many histories were replayed.
    pub fn count(&self) -> usize {
        self.count
    }

    /// What could not be checked, and why.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl<'a, H, S> IntoFuture for Replay<'a, H, S>
where
    S: Sync,
    H: Handler<S>,
{
    type Output = Result<Replayed, Finding>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let files = files(&self.path)?;
            let mut replayed = Replayed {
                notes: Vec::new(),
                count: files.len(),
            };
            let mut found = Vec::new();
            for file in &files {
                let one = one::<H, S>(file, self.state).await?;
                let named = |text: &String| format!("{}: {text}", file.display());
                found.extend(one.problems.iter().map(named));
                replayed.notes.extend(one.notes.iter().map(named));
            }
            if found.is_empty() {
                return Ok(replayed);
            }
            Err(Finding::new(format!(
                "`{}` does not go on with what is recorded:\n  {}",
                H::NAME,
                found.join("\n  ")
            )))
        })
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Finding> {
    let unreadable = |error| {
        Finding::new(format!(
            "cannot read histories at {}: {error}",
            path.display()
        ))
    };
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        let path = path.display();
        return Err(Finding::new(format!(
            "there are no histories (`.json`) in {path}"
        )));
    }
    Ok(files)
}

/// What one history shows.
#[derive(Default)]
struct Verdict {
    problems: Vec<String>,
    notes: Vec<String>,
}

async fn one<H, S>(file: &Path, state: &S) -> Result<Verdict, Finding>
where
    S: Sync,
    H: Handler<S>,
{
    let unusable = |error: String| Finding::new(format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
    let export = Export::parse(&text).map_err(unusable)?;
    let handler = &export.execution.handler;
    if handler != H::NAME && !H::manifest().was.contains(&handler.as_str()) {
        let name = H::NAME;
        return Err(unusable(format!(
            "it is of the handler `{handler}`, not of `{name}`"
        )));
    }
    if let Some(why) = &export.input_hidden {
        let note = format!("nothing can be checked without the input: {why}");
        return Ok(Verdict {
            notes: vec![note],
            ..Verdict::default()
        });
    }
    let rerun = rerun::<H, S>(&export.execution, &export.records, state).await?;
    Ok(Look { export, rerun }.verdict())
}

struct Look {
    export: Export,
    rerun: Rerun,
}

impl Look {
    fn verdict(&self) -> Verdict {
        let (mut problems, mut notes) = (Vec::new(), Vec::new());
        let blocked = match &self.rerun.stage {
            Stage::Blocked(report) => Some(report),
            _ => None,
        };
        let (mut blind, mut by_what_is_hidden) = (false, false);
        for (id, path, message) in &self.rerun.undecodable {
            let blocks = blocked == Some(message);
            match self.export.hidden.get(id) {
                Some(why) => {
                    blind = true;
                    by_what_is_hidden |= blocks;
                    notes.push(format!("nothing after `{path}` can be checked: {why}"));
                }
                None if blocks => {}
                None => problems.push(format!("`{path}`: {message}")),
            }
        }
        match blocked {
            Some(report) if !by_what_is_hidden => problems.push(report.clone()),
            None if !blind && problems.is_empty() => problems.extend(self.differences()),
            _ => {}
        }
        Verdict { problems, notes }
    }

    fn differences(&self) -> Vec<String> {
        let ended = self.export.execution.status.is_terminal();
        let new: Vec<&str> = self
            .rerun
            .live
            .iter()
            .filter(|live| !live.under_way)
            .map(|live| &*live.path)
            .collect();
        let mut found: Vec<String> = self.rerun.drift.iter().map(Drift::to_string).collect();
        // Who goes on beyond what is recorded runs something new, as every run does.
        let left: Vec<String> = self.rerun.drift_so_far.iter().filter_map(unasked).collect();
        if !new.is_empty() && (ended || !left.is_empty()) {
            found.extend(
                new.iter()
                    .map(|path| format!("`{path}` would run: it is not recorded")),
            );
            found.extend(left);
        } else if self.rerun.live.is_empty() {
            found.extend(other_end(&self.export.execution, &self.rerun.stage));
        }
        found
    }
}

/// What there is to say of a record that the code has not come to.
fn unasked(drift: &Drift) -> Option<String> {
    let Drift::Orphaned {
        operation,
        successor,
    } = drift
    else {
        return None;
    };
    let text = format!("`{operation}` is recorded, but the code had not asked for it by then");
    Some(match successor {
        Some(successor) => format!("{text}, while {successor}"),
        None => text,
    })
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} histories replayed", self.count)?;
        self.notes
            .iter()
            .try_for_each(|note| write!(f, "\n  {note}"))
    }
}
