//! The execution that a run goes on with: what there was of it before, and what became of it.

use std::path::Path;

use durable::prelude::*;
use durable::store::{ExecutionStatus, ExecutionStore, StoreErrorKind};
use durable::{Report, RunError, Status};

use crate::app::format::{counted, thousands};
use crate::app::{App, Job, Summary, report};

/// Which execution is run, and where its checkpoints are kept.
pub(crate) struct Execution {
    pub(crate) id: String,
    pub(crate) store: String,
    /// What to write on the command line to run the same job anew.
    pub(crate) start_over: &'static str,
}

/// What there was of an execution before this run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    Steps(usize),
    Everything,
}

impl Execution {
    /// What the store knows of it.
    pub(crate) async fn before(&self, store: &dyn ExecutionStore) -> Result<Before, BoxError> {
        let id = self.id.parse()?;
        let execution = match store.get(&id).await {
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(Before::Nothing),
            found => found?,
        };
        if execution.status == ExecutionStatus::Succeeded {
            return Ok(Before::Everything);
        }
        let records = store.history(&id).await?;
        let done = records.iter().filter(|r| r.status == Status::Succeeded);
        Ok(Before::Steps(done.count()))
    }
}

impl App {
    /// Says what is about to be done.
    pub(crate) fn announce(&self, job: &Job, execution: &Execution, before: Before) {
        self.console.say(&format!(
            "Loading {}: {} in {}, execution `{}`",
            job.file,
            counted(job.rows, "row"),
            match job.batches() {
                1 => "one batch".into(),
                batches => format!("{} batches", thousands(batches)),
            },
            execution.id
        ));
        if let Before::Steps(steps) = before {
            self.console.say(&format!(
                "Going on where an earlier run was: the outcomes of {steps} steps are in the store."
            ));
        }
    }

    /// Says what was done, or what to do about it.
    pub(crate) fn conclude(
        &self,
        job: &Job,
        execution: &Execution,
        before: Before,
        done: Report<Summary>,
    ) -> Result<(), BoxError> {
        self.console.clear();
        let start_over = execution.start_over;
        let summary = match done.output {
            Ok(summary) => summary,
            Err(error @ (RunError::Failed(_) | RunError::Taken(_))) => {
                return Err(format!("{error}\nTo run this job anew: {start_over}.").into());
            }
            Err(error) => return Err(error.into()),
        };
        self.console.say(&match before {
            Before::Everything => format!(
                "Nothing to do: this execution has finished already. To run it anew: {start_over}."
            ),
            _ => format!(
                "Loaded {} into {}: {} steps were answered from checkpoints, {} ran.",
                counted(summary.rows, "row"),
                shown(&job.target),
                done.replayed,
                done.ran
            ),
        });
        for drift in &done.drift {
            self.console.say(&format!("note: {drift}"));
        }
        self.console.say(&format!("\n{}", report::text(&summary)));
        let report = shown(&job.report.join("report"));
        self.console.say(&format!(
            "Report: {report}.txt, as a chart {report}.svg\nSteps:  durable show {} --store {}",
            execution.id, execution.store
        ));
        Ok(())
    }
}

/// A path as short as it can be written here.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(here).unwrap_or(path);
    path.display().to_string()
}
