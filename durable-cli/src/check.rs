//! `durable check`: compares open executions with the names of the code to be deployed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use durable_core::lock::{Finding, Lock, Verdict, check};
use durable_core::store::{Execution, ExecutionStatus, Filter, Store};
use serde::Serialize;

use crate::args::Check;
use crate::error::failed;
use crate::json::print_json;
use crate::render::Style;
use crate::{CliError, store};

/// Reads the lock file at `path`.
pub(crate) fn read_lock(path: &Path) -> Result<Lock, CliError> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        CliError::Lock(format!(
            "cannot read the lock file {shown}: {error}; `durable::testing::names!` writes one"
        ))
    })?;
    text.parse()
        .map_err(|error| CliError::Lock(format!("{shown} is not a valid lock file: {error}")))
}

/// Output of `check --json`.
#[derive(Debug, Serialize)]
struct Report {
    format: u32,
    lock: String,
    /// Number of open executions by verdict.
    counts: BTreeMap<&'static str, usize>,
    executions: Vec<CheckedExecution>,
}

/// Open execution and its findings.
#[derive(Debug, Serialize)]
struct CheckedExecution {
    id: String,
    handler: String,
    status: &'static str,
    verdict: &'static str,
    findings: Vec<CheckFinding>,
}

#[derive(Debug, Serialize)]
struct CheckFinding {
    verdict: &'static str,
    operation: String,
    text: String,
}

impl CheckedExecution {
    fn new(execution: &Execution, findings: &[Finding]) -> Self {
        Self {
            id: execution.id.to_string(),
            handler: execution.handler.clone(),
            status: execution.status.as_str(),
            verdict: worst(findings).as_str(),
            findings: findings
                .iter()
                .map(|finding| CheckFinding {
                    verdict: finding.verdict.as_str(),
                    operation: finding.operation.clone(),
                    text: finding.text.clone(),
                })
                .collect(),
        }
    }
}

fn worst(findings: &[Finding]) -> Verdict {
    let verdicts = findings.iter().map(|finding| finding.verdict);
    verdicts.max().unwrap_or(Verdict::Safe)
}

/// Runs `durable check`. Returns [`CliError::Unsafe`] if an execution would not resume.
pub(crate) async fn run(url: &str, args: &Check, style: Style) -> Result<String, CliError> {
    let lock = read_lock(&args.lock)?;
    let store = store::open(url).await?;
    let mut counts: BTreeMap<Verdict, usize> = Verdict::ALL.map(|verdict| (verdict, 0)).into();
    let mut executions = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .list(open_executions(args, after))
            .await
            .map_err(failed)?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        for execution in &page {
            let findings = findings(&*store, &lock, execution).await?;
            *counts.entry(worst(&findings)).or_default() += 1;
            executions.push(CheckedExecution::new(execution, &findings));
        }
    }
    let fails = |(verdict, count): (&Verdict, &usize)| {
        *count > 0 && *verdict != Verdict::Safe && !args.allow.contains(verdict)
    };
    let fails = counts.iter().any(fails);
    let report = Report {
        format: 1,
        lock: args.lock.display().to_string(),
        counts: counts
            .iter()
            .map(|(verdict, count)| (verdict.as_str(), *count))
            .collect(),
        executions,
    };
    let text = match args.json {
        true => print_json(&report)?,
        false => report.text(style, &counts),
    };
    match fails {
        true => Err(CliError::Unsafe(text)),
        false => Ok(text),
    }
}

/// Builds the filter for the next page of executions that have not ended.
fn open_executions(args: &Check, after: Option<durable_core::ExecutionId>) -> Filter {
    let open = ExecutionStatus::ALL
        .into_iter()
        .filter(|status| !status.is_terminal());
    Filter {
        status: open.collect(),
        handler: args.handler.clone(),
        after,
        limit: 500,
        ..Filter::default()
    }
}

async fn findings(
    store: &dyn Store,
    lock: &Lock,
    execution: &Execution,
) -> Result<Vec<Finding>, CliError> {
    let records = store.history(&execution.id).await.map_err(failed)?;
    Ok(check(lock, execution, &records))
}

impl Report {
    /// Formats the executions with findings, then the number of executions by verdict.
    fn text(&self, style: Style, counts: &BTreeMap<Verdict, usize>) -> String {
        let mut text = String::new();
        for execution in self
            .executions
            .iter()
            .filter(|execution| !execution.findings.is_empty())
        {
            let (id, handler) = (&execution.id, &execution.handler);
            let heading = style.bold(&format!("{id} ({handler}, {})", execution.status));
            let _ = writeln!(text, "{heading}");
            for finding in &execution.findings {
                let _ = writeln!(text, "  {:<12} {}", finding.verdict, finding.text);
            }
            text.push('\n');
        }
        let total = self.executions.len();
        let plural = if total == 1 { "" } else { "s" };
        let counted: Vec<String> = counts
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(verdict, count)| format!("{count} {}", verdict.as_str()))
            .collect();
        let counted = match counted.is_empty() {
            true => "nothing to check".to_owned(),
            false => counted.join(", "),
        };
        let _ = writeln!(
            text,
            "{total} open execution{plural} against {}: {counted}",
            self.lock
        );
        text
    }
}
