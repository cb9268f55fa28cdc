//! Replays recorded histories with the current code.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use super::export::Export;
use super::finding::Finding;
use super::process::Stage;
use super::rerun::{Rerun, different_end, rerun};
use crate::engine::Drift;
use crate::runtime::handler::{Handler, IntoHandler};

/// Replays the recorded history in `file` with the current code of `handler`, without running any body. Shows what
/// would happen if this code resumed the execution.
///
/// The file is the output of `durable show ID --json --full`. A folder means all its `.json` files. Paths are
/// relative to the package under test.
///
/// ```no_run
/// use durable_core::testing::replay;
/// # use durable_core::*;
/// # async fn f<F>(import: F) where F: IntoHandler, F::Handler: Handler<()> + Durable<Input = u32, Output = u32> {
/// replay(import, "tests/histories").await.unwrap();
/// # }
/// ```
///
/// Awaiting it returns what was replayed, or a [`Finding`] that lists the steps that would run again, the records
/// that the code never reaches, and the values that it cannot decode. Values that are left out of the file because
/// they are secret or sealed cannot be checked, nor can anything after them; [`Replayed::notes`] lists those.
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

/// A replay that has not run yet. Returned by [`replay`]; await it to get its [`Replayed`].
#[must_use = "nothing is replayed until it is awaited"]
pub struct Replay<'a, H, S> {
    path: PathBuf,
    state: &'a S,
    handler: PhantomData<fn() -> H>,
}

impl<'a, H, S> Replay<'a, H, S> {
    /// Sets the state that the handler takes by reference. No body runs, so none uses it.
    pub fn state<T>(self, state: &T) -> Replay<'_, H, T> {
        Replay {
            path: self.path,
            state,
            handler: PhantomData,
        }
    }
}

/// Histories that the current code replays without problems.
#[derive(Debug)]
pub struct Replayed {
    notes: Vec<String>,
    count: usize,
}

impl Replayed {
    /// The number of histories replayed.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Parts that could not be checked, with the reason.
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
                let checked = replay_file::<H, S>(file, self.state).await?;
                let with_file = |text: &String| format!("{}: {text}", file.display());
                found.extend(checked.problems.iter().map(with_file));
                replayed.notes.extend(checked.notes.iter().map(with_file));
            }
            if found.is_empty() {
                return Ok(replayed);
            }
            Err(Finding::new(format!(
                "`{}` does not match its recorded histories:\n  {}",
                H::NAME,
                found.join("\n  ")
            )))
        })
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Finding> {
    let unreadable = |error| {
        Finding::new(format!(
            "cannot read histories in {}: {error}",
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

/// Result of replaying one history.
#[derive(Default)]
struct Verdict {
    problems: Vec<String>,
    notes: Vec<String>,
}

async fn replay_file<H, S>(file: &Path, state: &S) -> Result<Verdict, Finding>
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
            "it belongs to the handler `{handler}`, not to `{name}`"
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
    Ok(Comparison { export, rerun }.verdict())
}

/// A recorded history and its replay.
struct Comparison {
    export: Export,
    rerun: Rerun,
}

impl Comparison {
    fn verdict(&self) -> Verdict {
        let (mut problems, mut notes) = (Vec::new(), Vec::new());
        let blocked = match &self.rerun.stage {
            Stage::Blocked(report) => Some(report),
            _ => None,
        };
        let (mut incomplete, mut blocked_by_hidden_value) = (false, false);
        for (id, path, message) in &self.rerun.undecodable {
            let blocks = blocked == Some(message);
            match self.export.hidden.get(id) {
                Some(why) => {
                    incomplete = true;
                    blocked_by_hidden_value |= blocks;
                    notes.push(format!("nothing after `{path}` can be checked: {why}"));
                }
                None if blocks => {}
                None => problems.push(format!("`{path}`: {message}")),
            }
        }
        match blocked {
            Some(report) if !blocked_by_hidden_value => problems.push(report.clone()),
            None if !incomplete && problems.is_empty() => problems.extend(self.differences()),
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
            .filter(|live| !live.started)
            .map(|live| &*live.path)
            .collect();
        let mut found: Vec<String> = self.rerun.drift.iter().map(Drift::to_string).collect();
        // A run that continues past the end of its history always runs something new. That alone is not a problem.
        let unreached: Vec<String> = self
            .rerun
            .drift_so_far
            .iter()
            .filter_map(not_reached)
            .collect();
        if !new.is_empty() && (ended || !unreached.is_empty()) {
            found.extend(
                new.iter()
                    .map(|path| format!("`{path}` would run: it is not recorded")),
            );
            found.extend(unreached);
        } else if self.rerun.live.is_empty() {
            found.extend(different_end(&self.export.execution, &self.rerun.stage));
        }
        found
    }
}

/// Describes a record that the code has not reached.
fn not_reached(drift: &Drift) -> Option<String> {
    let Drift::Orphaned {
        operation,
        successor,
    } = drift
    else {
        return None;
    };
    let text = format!("`{operation}` is recorded, but the code has not reached it");
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
