//! Runs a handler from the top against a complete history, without running any body.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::boundaries::{Body, Key, Treatment};
use super::history::History;
use super::process::{Process, Setup, Stage};
use super::script::Script;
use super::world::World;
use crate::engine::Drift;
use crate::model::record::{Kind, Record, Status};
use crate::run::RunError;
use crate::runtime::any_handler::bind;
use crate::runtime::handler::Handler;
use crate::store::{
    Batch, CheckpointStore as _, Execution, ExecutionStatus, ExecutionStore as _, ExecutionUpdate,
    NewExecution,
};
use crate::{ExecutionId, OperationId, Timestamp};

/// Result of running a handler against a history.
pub(super) struct Rerun {
    pub(super) stage: Stage,
    /// Operations that would run, in the order in which the code reached them.
    pub(super) live: Vec<Live>,
    pub(super) drift: Vec<Drift>,
    /// Drift found up to where the handler stopped, if it did not return.
    pub(super) drift_so_far: Vec<Drift>,
    /// Values that the code cannot decode: operation, path and reason.
    pub(super) undecodable: Vec<(OperationId, String, String)>,
}

/// An operation that would run.
pub(super) struct Live {
    pub(super) path: String,
    /// Whether the history records its start, without an outcome.
    pub(super) started: bool,
}

/// Runs `H` against `records`, as far as they reach.
pub(super) async fn rerun<H, S>(
    execution: &Execution,
    records: &[Record],
    state: &S,
) -> Result<Rerun, RunError>
where
    S: Sync,
    H: Handler<S>,
{
    let world = World::new();
    world.clock().begin_at(latest(execution, records));
    let id = execution.id.clone();
    import(&world, execution, records).await?;
    let known: HashSet<Key> = records.iter().map(|r| (id.clone(), r.id)).collect();
    let setup = Setup {
        world,
        script: Arc::new(Script::default()),
        treatment: Treatment::Replay(known),
        reused: Arc::default(),
        budget: None,
    };
    let mut process = Process::new(id, bind::<H, _>(state), setup);
    let stage = process.run(1).await?;
    let boundaries = Arc::clone(&process.boundaries);
    let started = |body: &Body| records.iter().any(|r| r.id == body.id);
    let bodies = boundaries.live().into_iter().map(|body| Live {
        started: started(&body),
        path: body.path,
    });
    let new = boundaries.new_operations().into_iter().map(|path| Live {
        path,
        started: false,
    });
    let mut live: Vec<Live> = bodies.collect();
    for one in new {
        if !live.iter().any(|other| other.path == one.path) {
            live.push(one);
        }
    }
    let (drift_so_far, moved_into) = boundaries.last_invocation();
    // A new scope that recorded operations have moved into does not count as new.
    live.retain(|one| !moved_into.contains(&one.path));
    Ok(Rerun {
        drift: process.drift(),
        drift_so_far,
        undecodable: boundaries.undecodable(),
        stage,
        live,
    })
}

/// The time at which the history was written. Timers that were due by then have fired, later ones have not.
fn latest(execution: &Execution, records: &[Record]) -> Timestamp {
    let ended = execution
        .status
        .is_terminal()
        .then_some(execution.updated_at);
    let times = records.iter().flat_map(|record| {
        // An execution that has ended has waited for all its timers.
        let due = record.due_at.filter(|_| {
            execution.status.is_terminal()
                && record.kind == Kind::Wait
                && record.status == Status::Started
        });
        [Some(record.started_at), record.ended_at, due]
    });
    let times = times.flatten().chain(ended);
    times.max().unwrap_or(execution.created_at)
}

async fn import(world: &World, execution: &Execution, records: &[Record]) -> Result<(), RunError> {
    let (store, id) = (world.store(), &execution.id);
    let now = execution.created_at;
    store
        .start(NewExecution::new(
            id.clone(),
            execution.handler.clone(),
            execution.input.clone(),
            now,
        ))
        .await?;
    let lease = store.claim(id, now, Duration::MAX).await?;
    let batch = Batch {
        id: 1,
        records: records.to_vec(),
        execution: Some(ExecutionUpdate::Suspend { wake_at: None }),
        ..Batch::default()
    };
    store.checkpoint(&lease.fence, Arc::new(batch)).await?;
    if execution.status == ExecutionStatus::Cancelled {
        store.cancel(id, now).await?;
    }
    Ok(())
}

/// Describes the differences between completed histories and their replay.
pub(super) async fn differences<H, S>(
    histories: &[History],
    first: &ExecutionId,
    state: &S,
) -> Result<Vec<String>, RunError>
where
    S: Sync,
    H: Handler<S>,
{
    let mut found = Vec::new();
    let mut next = Some(first.clone());
    while let Some(id) = next.take() {
        let Some(history) = histories.iter().find(|history| *history.id() == id) else {
            break;
        };
        let execution = history.execution();
        let operations = history.operations().iter();
        let records: Vec<Record> = operations.map(|one| one.record().clone()).collect();
        let rerun = rerun::<H, S>(execution, &records, state).await?;
        found.extend(rerun.live.iter().map(|live| {
            let path = &live.path;
            format!("the replay reaches `{path}`, which the original run never reached")
        }));
        found.extend(rerun.drift.iter().map(ToString::to_string));
        if rerun.live.is_empty() {
            found.extend(different_end(execution, &rerun.stage));
        }
        next.clone_from(&execution.next);
    }
    Ok(found)
}

/// Describes how the end of a replay differs from the recorded one, if it does.
pub(super) fn different_end(execution: &Execution, stage: &Stage) -> Option<String> {
    let (recorded, now) = match (execution.status, stage) {
        (ExecutionStatus::Succeeded, Stage::Succeeded(output)) => {
            let recorded = execution.output.as_ref()?;
            if recorded == output {
                return None;
            }
            (
                super::history::shown(recorded),
                super::history::shown(output),
            )
        }
        (ExecutionStatus::Failed | ExecutionStatus::Cancelled, Stage::Failed(error)) => {
            let recorded = execution.error.as_ref()?;
            if recorded.to_string() == error.to_string() {
                return None;
            }
            (recorded.to_string(), error.to_string())
        }
        (ExecutionStatus::Continued, Stage::Suspended(_)) => return None,
        (_, Stage::Blocked(report)) => return Some(format!("the replay is blocked: {report}")),
        (status, _) if status.is_terminal() => {
            return Some(format!(
                "the recorded run is {status}, but its replay does not end"
            ));
        }
        _ => return None,
    };
    Some(format!(
        "the replay ends differently:\n    - {recorded}\n    + {now}"
    ))
}
