//! What happens to an execution, line by line, until it ends.

use std::collections::HashMap;
use std::time::Duration;

use durable_core::store::Execution;
use durable_core::{Record, Status};

use crate::args::Show;
use crate::error::failed;
use crate::json::History;
use crate::render::{self, Style};
use crate::store::found;
use crate::{CliError, store};

/// How often it is looked.
const PACE: Duration = Duration::from_millis(100);

/// What is known of an operation: its state and attempt.
type Known = (Status, u32);

/// Hands every line to `print` as soon as there is one; whether to go on is its answer.
pub(crate) async fn run(
    url: &str,
    asked: &Show,
    style: Style,
    print: &mut dyn FnMut(&str) -> bool,
) -> Result<(), CliError> {
    let store = store::open(url).await?;
    let mut id = asked.id.clone();
    let mut known = HashMap::new();
    let mut status = None;
    loop {
        let execution = found(&*store, url, &id).await?;
        let records = store.history(&id).await.map_err(failed)?;
        for line in news(
            &execution,
            &records,
            &mut known,
            &mut status,
            asked.json,
            style,
        )? {
            if !print(&line) {
                return Ok(());
            }
        }
        match &execution.next {
            Some(next) => {
                id = next.clone();
                known.clear();
            }
            None if execution.status.is_terminal() => return Ok(()),
            None => tokio::time::sleep(PACE).await,
        }
    }
}

fn news(
    execution: &Execution,
    records: &[Record],
    known: &mut HashMap<u64, Known>,
    status: &mut Option<durable_core::store::ExecutionStatus>,
    json: bool,
    style: Style,
) -> Result<Vec<String>, CliError> {
    let mut lines = Vec::new();
    let changed: Vec<_> = records
        .iter()
        .filter(|record| {
            let now = (record.status, record.attempt);
            known.insert(record.seq, now) != Some(now)
        })
        .map(|record| record.seq)
        .collect();
    if json {
        let whole = History::new(execution, records, false);
        let operations = whole.operations.iter();
        for operation in operations.filter(|operation| changed.contains(&operation.seq)) {
            lines.push(serde_json::to_string(operation)? + "\n");
        }
    } else {
        lines.extend(render::happened(records, &changed, style));
    }
    if *status != Some(execution.status) {
        *status = Some(execution.status);
        lines.push(match json {
            true => {
                serde_json::to_string(&History::new(execution, records, false).execution)? + "\n"
            }
            false => render::stands(execution, style),
        });
    }
    Ok(lines)
}
