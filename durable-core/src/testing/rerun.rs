//! Runs a handler from the top against a whole history, without running a single body.

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
use crate::runtime::handler::Handler;
use crate::store::{
    Batch, CheckpointStore as _, Execution, ExecutionStatus, ExecutionStore as _, ExecutionUpdate,
    NewExecution,
};
use crate::{ExecutionId, OperationId, Timestamp};

/// What a handler made of a history.
pub(super) struct Rerun {
    pub(super) stage: Stage,
    /// Operations that would run, in the order in which they were come to.
    pub(super) live: Vec<Live>,
    pub(super) drift: Vec<Drift>,
    /// The same as far as the handler came, if it did not return.
    pub(super) drift_so_far: Vec<Drift>,
    /// Values that the code cannot read, with the reason.
    pub(super) undecodable: Vec<(OperationId, String, String)>,
}

/// An operation that would run.
pub(super) struct Live {
    pub(super) path: String,
    /// Whether the history has it, begun and not ended.
    pub(super) under_way: bool,
}

/// Runs `H` against `records`, as far as they go.
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
        given: Arc::default(),
        budget: None,
    };
    let mut process = Process::<H, S>::new(id, state, setup);
    let stage = process.run(1).await?;
    let watch = Arc::clone(&process.watch);
    let under_way = |body: &Body| records.iter().any(|r| r.id == body.id);
    let bodies = watch.live().into_iter().map(|body| Live {
        under_way: under_way(&body),
        path: body.path,
    });
    let new = watch.new_operations().into_iter().map(|path| Live {
        path,
        under_way: false,
    });
    let mut live: Vec<Live> = bodies.collect();
    for one in new {
        if !live.iter().any(|other| other.path == one.path) {
            live.push(one);
        }
    }
    let (drift_so_far, moved_into) = watch.last_invocation();
    // Where what is recorded has moved into a new scope, nothing but that is new about it.
    live.retain(|one| !moved_into.contains(&one.path));
    Ok(Rerun {
        drift: process.drift(),
        drift_so_far,
        undecodable: watch.undecodable(),
        stage,
        live,
    })
}

/// The moment at which the history was written: what was due by then is over, what was not is not.
fn latest(execution: &Execution, records: &[Record]) -> Timestamp {
    let ended = execution
        .status
        .is_terminal()
        .then_some(execution.updated_at);
    let times = records.iter().flat_map(|record| {
        // An ended execution has waited for all that it waited for.
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

/// What a replay of a whole history that has ended shows about the handler, in words.
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
            format!("a replay asks for `{path}`, which the run before never came to")
        }));
        found.extend(rerun.drift.iter().map(ToString::to_string));
        if rerun.live.is_empty() {
            found.extend(other_end(execution, &rerun.stage));
        }
        next.clone_from(&execution.next);
    }
    Ok(found)
}

/// How the end of a replay differs from the recorded one.
pub(super) fn other_end(execution: &Execution, stage: &Stage) -> Option<String> {
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
        (_, Stage::Blocked(report)) => return Some(format!("a replay is blocked: {report}")),
        (status, _) if status.is_terminal() => {
            return Some(format!(
                "the run had {status}, a replay of it does not come to that"
            ));
        }
        _ => return None,
    };
    Some(format!(
        "a replay ends otherwise:\n    - {recorded}\n    + {now}"
    ))
}
