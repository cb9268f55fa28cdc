//! Blocked children of an execution.

use std::future::pending;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::runner::{Outcome, outcome};
use crate::ExecutionId;
use crate::runtime::children::Awaited;
use crate::store::Store;

/// Position after all changes, so that only the end or the blocking of an execution completes the wait.
const EVERY_CHANGE: u64 = i64::MAX as u64;

/// Waits until one of `children`, or the last execution of its chain, is blocked, and returns the report. Never
/// completes while none is.
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

/// Formats the report of an execution whose child is blocked.
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
            // Problems of the store surface when the parent writes.
            return pending().await;
        };
        match outcome(&execution) {
            Outcome::Blocked(report) => return waits_for(&id, &execution.handler, &report),
            Outcome::Next(next) => id = next,
            Outcome::Running => {}
            // The parent is notified of the end.
            Outcome::Ended(_) => return pending().await,
        }
    }
}
