//! What one build cannot run is offered to others.

use super::fixture::{NOW, TTL, at, ending, id, new};
use super::work::{built, looking_after, names, now};
use super::{Outcome, Store, same};
use crate::store::{Change, Claimed, ExecutionStatus, ExecutionUpdate};

async fn blocked(store: &Store, name: &str, build: &str) -> Outcome {
    store.start(new(name)?).await?;
    let claimed = store.claim_due(&built(build), now(1, NOW)).await?;
    same!(names(&claimed), [name], "claimed");
    block(store, &claimed).await
}

async fn block(store: &Store, claimed: &Claimed) -> Outcome {
    for lease in &claimed.leases {
        let report = "renamed".to_owned();
        let blocks = ending(1, ExecutionUpdate::Block { report });
        store.checkpoint(&lease.fence, blocks).await?;
    }
    Ok(())
}

pub(super) async fn blocked_is_offered_once_to_every_other_build(store: Store) -> Outcome {
    blocked(&store, "a", "1").await?;
    let (one, two) = (built("1"), built("2"));
    let look = looking_after(at(1), TTL);
    same!(
        names(&store.claim_due(&one, look).await?).len(),
        0,
        "offered to its own build"
    );
    same!(
        names(&store.claim_due(&two, now(9, at(1))).await?).len(),
        0,
        "without a look"
    );
    let claimed = store.claim_due(&two, look).await?;
    same!(names(&claimed), ["a"], "offered to another");
    block(&store, &claimed).await?;
    for worker in [&one, &two] {
        same!(
            names(&store.claim_due(worker, look).await?).len(),
            0,
            "offered again"
        );
    }
    same!(
        names(&store.claim_due(&built("3"), look).await?),
        ["a"],
        "offered to a third"
    );
    Ok(())
}

pub(super) async fn progress_makes_builds_try_again(store: Store) -> Outcome {
    blocked(&store, "a", "1").await?;
    let look = looking_after(at(1), TTL);
    let claimed = store.claim_due(&built("2"), look).await?;
    for lease in &claimed.leases {
        let wake_at = Some(at(1));
        let sleeps = ending(1, ExecutionUpdate::Suspend { wake_at });
        store.checkpoint(&lease.fence, sleeps).await?;
    }
    let claimed = store.claim_due(&built("2"), now(9, at(1))).await?;
    block(&store, &claimed).await?;
    same!(
        names(&store.claim_due(&built("1"), look).await?),
        ["a"],
        "offered to the first build"
    );
    Ok(())
}

pub(super) async fn resumed_is_tried_by_any_build(store: Store) -> Outcome {
    blocked(&store, "a", "1").await?;
    store.change(&id("a")?, Change::Resume, at(1)).await?;
    let execution = store.get(&id("a")?).await?;
    same!(
        (execution.status, execution.report),
        (ExecutionStatus::Suspended, None),
        "state"
    );
    let claimed = store.claim_due(&built("1"), now(9, at(1))).await?;
    same!(names(&claimed), ["a"], "claimed");
    Ok(())
}

pub(super) async fn resumed_is_offered_to_every_build_again(store: Store) -> Outcome {
    blocked(&store, "a", "1").await?;
    let look = looking_after(at(1), TTL);
    block(&store, &store.claim_due(&built("2"), look).await?).await?;
    store.change(&id("a")?, Change::Resume, at(1)).await?;
    let claimed = store.claim_due(&built("1"), now(9, at(1))).await?;
    block(&store, &claimed).await?;
    let claimed = store.claim_due(&built("2"), look).await?;
    same!(names(&claimed), ["a"], "offered to a build of before");
    Ok(())
}
