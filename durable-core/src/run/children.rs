//! Executions that another one waits for.

use std::future::pending;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::runner::{Outcome, outcome};
use crate::ExecutionId;
use crate::runtime::children::Awaited;
use crate::store::Store;

/// More changes than any execution sees: only its end, or that it is blocked, is news then.
const EVERY_CHANGE: u64 = i64::MAX as u64;

/// Ends with a report once one of `children`, or what goes on in its place, is blocked; never while none is.
pub(crate) async fn blocked_child(store: &dyn Store, children: &[Awaited]) -> String {
    if let Some(report) = children.iter().find_map(|child| child.report.as_ref()) {
        return report.clone();
    }
    let watched = children
        .iter()
        .map(|child| blocked(store, child.id.clone()));
    let mut watched: FuturesUnordered<_> = watched.collect();
    match watched.next().await {
        Some(report) => report,
        None => pending().await,
    }
}

/// The report of an execution that waits for another one, which is blocked.
pub(crate) fn waits_for(id: &ExecutionId, handler: &str, report: &str) -> String {
    format!("it waits for the execution `{id}` of `{handler}`, which is blocked: {report}")
}

async fn blocked(store: &dyn Store, mut id: ExecutionId) -> String {
    loop {
        let settled = store.changed(&id, EVERY_CHANGE).await;
        let execution = match settled {
            Ok(()) => store.get(&id).await,
            Err(error) => Err(error),
        };
        let Ok(execution) = execution else {
            // What is wrong with the store shows where it is written to.
            return pending().await;
        };
        match outcome(&execution) {
            Outcome::Blocked(report) => return waits_for(&id, &execution.handler, &report),
            Outcome::Next(next) => id = next,
            Outcome::Goes => {}
            // Its end is told to the execution that waits.
            Outcome::Ended(_) => return pending().await,
        }
    }
}
