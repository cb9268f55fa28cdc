//! `durable show --follow`: prints each change of an execution until it ends.

use std::collections::HashMap;
use std::time::Duration;

use durable_core::store::Execution;
use durable_core::{Record, Status};

use crate::args::Show;
use crate::error::failed;
use crate::json::History;
use crate::render::{self, Style};
use crate::store::find;
use crate::{CliError, store};

/// Interval between reads of the execution.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// State of an operation that was printed last: status and attempt.
type Printed = (Status, u32);

/// Passes every line to `print` as it arrives, until the execution ends or `print` returns false.
pub(crate) async fn run(
    url: &str,
    args: &Show,
    style: Style,
    print: &mut dyn FnMut(&str) -> bool,
) -> Result<(), CliError> {
    let store = store::open(url).await?;
    let mut id = args.id.clone();
    let mut printed = HashMap::new();
    let mut status = None;
    loop {
        let execution = find(&*store, url, &id).await?;
        let records = store.history(&id).await.map_err(failed)?;
        for line in new_lines(
            &execution,
            &records,
            &mut printed,
            &mut status,
            args.json,
            style,
        )? {
            if !print(&line) {
                return Ok(());
            }
        }
        match &execution.next {
            Some(next) => {
                id = next.clone();
                printed.clear();
            }
            None if execution.status.is_terminal() => return Ok(()),
            None => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

/// Returns the lines for everything that changed since the last call.
fn new_lines(
    execution: &Execution,
    records: &[Record],
    printed: &mut HashMap<u64, Printed>,
    status: &mut Option<durable_core::store::ExecutionStatus>,
    json: bool,
    style: Style,
) -> Result<Vec<String>, CliError> {
    let mut lines = Vec::new();
    let changed: Vec<_> = records
        .iter()
        .filter(|record| {
            let now = (record.status, record.attempt);
            printed.insert(record.seq, now) != Some(now)
        })
        .map(|record| record.seq)
        .collect();
    if json {
        let history = History::new(execution, records, false);
        let operations = history.operations.iter();
        for operation in operations.filter(|operation| changed.contains(&operation.seq)) {
            lines.push(serde_json::to_string(operation)? + "\n");
        }
    } else {
        lines.extend(render::event_lines(records, &changed, style));
    }
    if *status != Some(execution.status) {
        *status = Some(execution.status);
        lines.push(match json {
            true => {
                serde_json::to_string(&History::new(execution, records, false).execution)? + "\n"
            }
            false => render::status_line(execution, style),
        });
    }
    Ok(lines)
}
