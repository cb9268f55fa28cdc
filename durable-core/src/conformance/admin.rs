//! What operators do to executions.

use super::fixture::{
    TTL, asking, at, batch, ending, id, json, leased, new, put, state, step, told,
};
use super::work::{built, names, now};
use super::{Outcome, Store, refused, same};
use crate::model::error::{ErrorKind, OperationError};
use crate::store::{Change, ExecutionStatus, ExecutionUpdate, Rewind};

fn failure() -> ExecutionUpdate {
    let error = OperationError::new("etl", ErrorKind::Failed, "no");
    ExecutionUpdate::Fail { error }
}

/// An execution with three steps that has failed.
async fn failed(store: &Store, name: &str) -> Outcome {
    let lease = leased(store, name).await?;
    let steps = vec![step(1, "1"), step(2, "2"), step(3, "3")];
    let fence = put(store, &lease.fence, batch(1, steps)).await?;
    store.checkpoint(&fence, ending(2, failure())).await?;
    Ok(())
}

pub(super) async fn pause_what_waits(store: Store) -> Outcome {
    store.start(new("a")?).await?;
    store.change(&id("a")?, Change::Pause, at(1)).await?;
    same!(store.get(&id("a")?).await?.paused, true, "paused");
    same!(
        names(&store.claim_due(&built("1"), now(9, at(2))).await?).len(),
        0,
        "claimed"
    );
    refused!(
        store.claim(&id("a")?, at(2), TTL).await,
        Conflict,
        "a claim of a paused one"
    );
    store.change(&id("a")?, Change::Resume, at(3)).await?;
    same!(
        names(&store.claim_due(&built("1"), now(9, at(3))).await?),
        ["a"],
        "claimed"
    );
    Ok(())
}

pub(super) async fn pause_what_sleeps_until_its_time(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    let wake_at = Some(at(50));
    let sleeps = ending(1, ExecutionUpdate::Suspend { wake_at });
    store.checkpoint(&lease.fence, sleeps).await?;
    store.change(&id("a")?, Change::Pause, at(1)).await?;
    store.change(&id("a")?, Change::Resume, at(2)).await?;
    let early = store.claim_due(&built("1"), now(9, at(3))).await?;
    same!(
        (names(&early).len(), early.next_due),
        (0, Some(at(50))),
        "it sleeps on"
    );
    Ok(())
}

pub(super) async fn pause_what_runs(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    store.change(&id("a")?, Change::Pause, at(1)).await?;
    let (fence, ack) = told(&store, &lease.fence, asking(1, 0)).await?;
    same!((ack.paused, ack.changes), (true, 1), "paused and changes");
    let wake_at = Some(at(1));
    let mut stops = (*ending(2, ExecutionUpdate::Suspend { wake_at })).clone();
    stops.seen = 1;
    store.checkpoint(&fence, stops.into()).await?;
    same!(
        names(&store.claim_due(&built("1"), now(9, at(9))).await?).len(),
        0,
        "claimed"
    );
    store.change(&id("a")?, Change::Resume, at(9)).await?;
    same!(
        names(&store.claim_due(&built("1"), now(9, at(9))).await?),
        ["a"],
        "claimed"
    );
    Ok(())
}

pub(super) async fn cancel_what_is_paused(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    let sleeps = ending(1, ExecutionUpdate::Suspend { wake_at: None });
    store.checkpoint(&lease.fence, sleeps).await?;
    store.change(&id("a")?, Change::Pause, at(1)).await?;
    store.cancel(&id("a")?, at(2)).await?;
    same!(
        names(&store.claim_due(&built("1"), now(9, at(2))).await?),
        ["a"],
        "claimed"
    );
    Ok(())
}

pub(super) async fn leave_what_has_ended(store: Store) -> Outcome {
    failed(&store, "a").await?;
    let before = state(&store, &id("a")?).await?;
    for change in [Change::Pause, Change::Resume] {
        refused!(
            store.change(&id("a")?, change, at(1)).await,
            Conflict,
            "a change after the end"
        );
    }
    same!(state(&store, &id("a")?).await?, before, "state");
    refused!(
        store.change(&id("b")?, Change::Pause, at(1)).await,
        NotFound,
        "an unknown one"
    );
    Ok(())
}

pub(super) async fn rewind_what_has_failed(store: Store) -> Outcome {
    failed(&store, "a").await?;
    let rewind = Rewind {
        seen: 0,
        remove_from: Some(3),
        records: vec![step(2, "20")],
    };
    store
        .change(&id("a")?, Change::Rewind(rewind.clone()), at(1))
        .await?;
    let (execution, records) = state(&store, &id("a")?).await?;
    same!(records, [step(1, "1"), step(2, "20")], "records");
    same!(
        (execution.status, execution.error),
        (ExecutionStatus::Suspended, None),
        "status and error"
    );
    same!(
        (execution.wake_at, execution.changes),
        (Some(at(1)), 1),
        "due and changes"
    );
    refused!(
        store.change(&id("a")?, Change::Rewind(rewind), at(2)).await,
        Conflict,
        "of what was changed meanwhile"
    );
    let claimed = store.claim_due(&built("1"), now(9, at(1))).await?;
    same!(names(&claimed), ["a"], "claimed");
    for lease in &claimed.leases {
        same!(
            (lease.was_interrupted, lease.crashes),
            (false, 0),
            "was_interrupted and crashes"
        );
        let again = batch(1, vec![step(3, "30")]);
        put(&store, &lease.fence, again).await?;
    }
    Ok(())
}

pub(super) async fn rewind_nothing_that_runs(store: Store) -> Outcome {
    leased(&store, "a").await?;
    let before = state(&store, &id("a")?).await?;
    let rewind = Change::Rewind(Rewind::default());
    refused!(
        store.change(&id("a")?, rewind, at(1)).await,
        Conflict,
        "a rewind of what runs"
    );
    refused!(
        store.change(&id("a")?, Change::Delete, at(1)).await,
        Conflict,
        "its deletion"
    );
    same!(state(&store, &id("a")?).await?, before, "state");
    Ok(())
}

pub(super) async fn delete_what_has_ended(store: Store) -> Outcome {
    failed(&store, "a").await?;
    store.start(new("b")?).await?;
    refused!(
        store.change(&id("b")?, Change::Delete, at(1)).await,
        Conflict,
        "one that has not ended"
    );
    store.change(&id("a")?, Change::Delete, at(1)).await?;
    refused!(store.get(&id("a")?).await, NotFound, "the deleted one");
    same!(
        store.history(&id("b")?).await?.len(),
        0,
        "records of another"
    );
    Ok(())
}

pub(super) async fn a_deleted_id_is_free_and_old_fences_fit_nothing(store: Store) -> Outcome {
    let stale = leased(&store, "a").await?;
    let lease = store.claim(&id("a")?, at(3600), TTL).await?;
    let output = json("1");
    let ends = ending(1, ExecutionUpdate::Succeed { output });
    store.checkpoint(&lease.fence, ends).await?;
    store.change(&id("a")?, Change::Delete, at(3600)).await?;
    leased(&store, "a").await?;
    for old in [&stale.fence, &lease.fence] {
        refused!(
            store.checkpoint(old, batch(5, vec![step(1, "9")])).await,
            FenceLost,
            "an old fence"
        );
    }
    same!(store.history(&id("a")?).await?.len(), 0, "records");
    Ok(())
}
