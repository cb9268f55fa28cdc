//! Atomic, fenced, repeatable, readable.

use tokio::task::JoinSet;

use super::fixture::{
    NOW, TTL, batch, ending, id, leased, loaded, new, put, state, step, suspend, taken_over,
};
use super::{Defect, Outcome, Store, refused, same};
use crate::store::ExecutionUpdate;

pub(super) async fn puts_records_in_order(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    let fence = put(
        &store,
        &lease.fence,
        batch(1, vec![step(1, "1"), step(2, "2")]),
    )
    .await?;
    let fence = put(&store, &fence, batch(2, vec![step(3, "3")])).await?;
    let expected = vec![step(1, "1"), step(2, "2"), step(3, "3")];
    same!(loaded(&store, &fence, 0).await?, expected, "load");
    same!(store.history(&id("a")?).await?, expected, "history");
    Ok(())
}

pub(super) async fn a_record_written_again_replaces_the_one_before(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    let first = batch(1, vec![step(1, "1"), step(2, "2"), step(1, "one")]);
    let fence = put(&store, &lease.fence, first).await?;
    let mut bare = step(2, "2");
    (bare.payload, bare.ended_at) = (None, None);
    let fence = put(&store, &fence, batch(2, vec![bare.clone()])).await?;
    let expected = vec![step(1, "one"), bare];
    same!(
        loaded(&store, &fence, 0).await?,
        expected,
        "the later record"
    );
    Ok(())
}

pub(super) async fn load_goes_on_after_a_position(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    same!(
        loaded(&store, &lease.fence, 0).await?,
        vec![],
        "nothing yet"
    );
    let records: Vec<_> = (1..=300).map(|seq| step(seq, "true")).collect();
    let fence = put(&store, &lease.fence, batch(1, records.clone())).await?;
    same!(loaded(&store, &fence, 0).await?, records, "from the start");
    same!(
        loaded(&store, &fence, 256).await?,
        records[256..],
        "after 256"
    );
    same!(loaded(&store, &fence, 300).await?, vec![], "after the last");
    same!(
        loaded(&store, &fence, u64::MAX).await?,
        vec![],
        "after the end of numbers"
    );
    Ok(())
}

pub(super) async fn the_same_batch_again_changes_nothing(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    let first = batch(1, vec![step(1, "1"), step(2, "2")]);
    put(&store, &lease.fence, first.clone()).await?;
    let before = state(&store, &id("a")?).await?;
    let fence = put(&store, &lease.fence, first).await?;
    same!(
        state(&store, &id("a")?).await?,
        before,
        "after the repetition"
    );
    put(&store, &fence, batch(2, vec![step(3, "3")])).await?;
    Ok(())
}

pub(super) async fn the_last_batch_may_be_repeated_after_the_lease_is_gone(
    store: Store,
) -> Outcome {
    let lease = leased(&store, "a").await?;
    let fence = put(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
    let last = ending(2, suspend());
    store.checkpoint(&fence, last.clone()).await?;
    let before = state(&store, &id("a")?).await?;
    store.checkpoint(&fence, last).await?;
    same!(
        state(&store, &id("a")?).await?,
        before,
        "after the repetition"
    );
    Ok(())
}

pub(super) async fn an_old_fence_changes_nothing(store: Store) -> Outcome {
    let old = leased(&store, "a").await?;
    let fence = put(&store, &old.fence, batch(1, vec![step(1, "1")])).await?;
    let current = taken_over(&store, &old).await?;
    let before = state(&store, &id("a")?).await?;
    let late = batch(2, vec![step(2, "2"), step(1, "late")]);
    refused!(
        store.checkpoint(&fence, late).await,
        FenceLost,
        "late records"
    );
    let late = ending(
        3,
        ExecutionUpdate::Fail {
            error: crate::OperationError::new("a", crate::ErrorKind::Failed, "late"),
        },
    );
    refused!(
        store.checkpoint(&fence, late).await,
        FenceLost,
        "a late end"
    );
    let repeated = batch(1, vec![step(1, "1")]);
    refused!(
        store.checkpoint(&fence, repeated).await,
        FenceLost,
        "a late repetition"
    );
    same!(
        state(&store, &id("a")?).await?,
        before,
        "after late checkpoints"
    );
    put(&store, &current.fence, batch(1, vec![step(2, "new")])).await?;
    same!(
        store.history(&id("a")?).await?,
        vec![step(1, "1"), step(2, "new")],
        "the new holder's"
    );
    Ok(())
}

pub(super) async fn a_foreign_fence_changes_nothing(store: Store) -> Outcome {
    let mine = leased(&store, "a").await?.fence;
    leased(&store, "b").await?;
    let before = state(&store, &id("b")?).await?;
    for token in ["", "0", "not a token", "-1", "99999999999999999999999"] {
        let mut fence = mine.clone();
        fence.token = token.into();
        refused!(
            store.checkpoint(&fence, batch(1, vec![step(1, "1")])).await,
            FenceLost,
            token
        );
        refused!(store.renew(&fence, NOW, TTL).await, FenceLost, token);
    }
    same!(
        state(&store, &id("b")?).await?,
        before,
        "after made-up fences"
    );
    same!(
        store.history(&id("a")?).await?,
        vec![],
        "after made-up fences"
    );
    Ok(())
}

pub(super) async fn a_released_fence_changes_nothing(store: Store) -> Outcome {
    let lease = leased(&store, "a").await?;
    store.checkpoint(&lease.fence, ending(1, suspend())).await?;
    let before = state(&store, &id("a")?).await?;
    let late = batch(2, vec![step(1, "1")]);
    refused!(
        store.checkpoint(&lease.fence, late).await,
        FenceLost,
        "records after the release"
    );
    same!(
        state(&store, &id("a")?).await?,
        before,
        "after the late checkpoint"
    );
    Ok(())
}

pub(super) async fn an_empty_batch_is_fenced_too(store: Store) -> Outcome {
    let old = leased(&store, "a").await?;
    put(&store, &old.fence, batch(1, vec![])).await?;
    taken_over(&store, &old).await?;
    refused!(
        store.checkpoint(&old.fence, batch(2, vec![])).await,
        FenceLost,
        "an empty batch"
    );
    Ok(())
}

pub(super) async fn executions_do_not_mix(store: Store) -> Outcome {
    let (a, b) = (leased(&store, "a").await?, leased(&store, "b").await?);
    put(&store, &a.fence, batch(1, vec![step(1, "1")])).await?;
    let fence = put(
        &store,
        &b.fence,
        batch(1, vec![step(1, "one"), step(2, "two")]),
    )
    .await?;
    same!(
        store.history(&id("a")?).await?,
        vec![step(1, "1")],
        "the first"
    );
    same!(
        loaded(&store, &fence, 1).await?,
        vec![step(2, "two")],
        "the second"
    );
    Ok(())
}

pub(super) async fn many_executions_at_once(store: Store) -> Outcome {
    let mut tasks = JoinSet::new();
    for n in 0..32 {
        let store = store.clone();
        tasks.spawn(async move { run_one(store, &format!("run-{n:02}")).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|lost| Defect::new(format!("a task was lost: {lost}")))??;
    }
    for n in 0..32 {
        let records: Vec<_> = (1..=8).map(|seq| step(seq, "1")).collect();
        let history = store.history(&id(&format!("run-{n:02}"))?).await?;
        same!(history, records, "what one of many wrote");
    }
    Ok(())
}

async fn run_one(store: Store, name: &str) -> Outcome {
    store.start(new(name)?).await?;
    let mut fence = store.claim(&id(name)?, NOW, TTL).await?.fence;
    for seq in 1..=8 {
        fence = put(&store, &fence, batch(seq, vec![step(seq, "1")])).await?;
    }
    store.checkpoint(&fence, ending(9, suspend())).await?;
    Ok(())
}
