//! The execution of a run: its progress before, and its result.

use std::path::Path;

use durable::prelude::*;
use durable::store::{ExecutionStatus, Store, StoreErrorKind};
use durable::{Report, RunError, Status};

use crate::app::format::{counted, thousands};
use crate::app::{App, Job, Summary, report};

/// Execution to run, and the store of its checkpoints.
pub(crate) struct Execution {
    pub(crate) id: String,
    pub(crate) store: String,
    /// Change to the command line that runs the job from the start.
    pub(crate) start_over: &'static str,
}

/// Progress of an execution before this run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    NotStarted,
    /// Number of finished steps.
    Steps(usize),
    Finished,
}

impl Execution {
    /// Reads the progress from the store.
    pub(crate) async fn progress(&self, store: &dyn Store) -> Result<Progress, BoxError> {
        let id = self.id.parse()?;
        let execution = match store.get(&id).await {
            Err(error) if error.kind() == StoreErrorKind::NotFound => {
                return Ok(Progress::NotStarted);
            }
            found => found?,
        };
        if execution.status == ExecutionStatus::Succeeded {
            return Ok(Progress::Finished);
        }
        let records = store.history(&id).await?;
        let finished = records.iter().filter(|r| r.status == Status::Succeeded);
        Ok(Progress::Steps(finished.count()))
    }
}

impl App {
    /// Prints what the run is about to do.
    pub(crate) fn print_start(&self, job: &Job, execution: &Execution, progress: Progress) {
        self.console.print(&format!(
            "Loading {}: {} in {}, execution `{}`",
            job.file,
            counted(job.rows, "row"),
            match job.batches() {
                1 => "one batch".into(),
                batches => format!("{} batches", thousands(batches)),
            },
            execution.id
        ));
        if let Progress::Steps(steps) = progress {
            self.console.print(&format!(
                "Resuming an earlier run: {steps} steps are already in the store."
            ));
        }
    }

    /// Prints the result of the run. A failure is returned as an error that says how to start over.
    pub(crate) fn print_result(
        &self,
        job: &Job,
        execution: &Execution,
        progress: Progress,
        run: Report<Summary>,
    ) -> Result<(), BoxError> {
        self.console.clear();
        let start_over = execution.start_over;
        let summary = match run.output {
            Ok(summary) => summary,
            Err(error @ (RunError::Failed(_) | RunError::IdInUse(_))) => {
                return Err(format!("{error}\nTo start over, {start_over}.").into());
            }
            Err(error) => return Err(error.into()),
        };
        self.console.print(&match progress {
            Progress::Finished => format!(
                "Nothing to do: this execution has already finished. To start over, {start_over}."
            ),
            _ => format!(
                "Loaded {} into {}: {} steps replayed from checkpoints, {} ran.",
                counted(summary.rows, "row"),
                display_path(&job.target),
                run.steps_replayed,
                run.steps_run
            ),
        });
        for drift in &run.drift {
            self.console.print(&format!("note: {drift}"));
        }
        self.console.print(&format!("\n{}", report::text(&summary)));
        let report = display_path(&job.report.join("report"));
        self.console.print(&format!(
            "Report: {report}.txt, chart: {report}.svg\nSteps:  durable show {} --store {}",
            execution.id, execution.store
        ));
        Ok(())
    }
}

/// Formats a path, relative to the current folder if it is inside it.
pub(crate) fn display_path(path: &Path) -> String {
    let current = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(current).unwrap_or(path);
    path.display().to_string()
}
