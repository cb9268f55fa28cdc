//! Checkpoints: atomic, fenced and repeatable.

use tokio::task::JoinSet;

use super::fixture::{
    NOW, TTL, batch, checkpoint, ending, id, load_all, new, start_and_claim, step, stored_state,
    suspend, take_over,
};
use super::{Defect, Outcome, Store, expect_eq, expect_error};
use crate::store::ExecutionUpdate;

pub(super) async fn records_are_kept_in_order(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let fence = checkpoint(
        &store,
        &lease.fence,
        batch(1, vec![step(1, "1"), step(2, "2")]),
    )
    .await?;
    let fence = checkpoint(&store, &fence, batch(2, vec![step(3, "3")])).await?;
    let expected = vec![step(1, "1"), step(2, "2"), step(3, "3")];
    expect_eq!(load_all(&store, &fence, 0).await?, expected, "load");
    expect_eq!(store.history(&id("a")?).await?, expected, "history");
    Ok(())
}

pub(super) async fn a_record_written_again_replaces_the_previous_one(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let first = batch(1, vec![step(1, "1"), step(2, "2"), step(1, "one")]);
    let fence = checkpoint(&store, &lease.fence, first).await?;
    let mut bare = step(2, "2");
    (bare.payload, bare.ended_at) = (None, None);
    let fence = checkpoint(&store, &fence, batch(2, vec![bare.clone()])).await?;
    let expected = vec![step(1, "one"), bare];
    expect_eq!(
        load_all(&store, &fence, 0).await?,
        expected,
        "the later record"
    );
    Ok(())
}

pub(super) async fn load_continues_after_a_position(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    expect_eq!(
        load_all(&store, &lease.fence, 0).await?,
        vec![],
        "before the first record"
    );
    let records: Vec<_> = (1..=300).map(|seq| step(seq, "true")).collect();
    let fence = checkpoint(&store, &lease.fence, batch(1, records.clone())).await?;
    expect_eq!(
        load_all(&store, &fence, 0).await?,
        records,
        "from the start"
    );
    expect_eq!(
        load_all(&store, &fence, 256).await?,
        records[256..],
        "after 256"
    );
    expect_eq!(
        load_all(&store, &fence, 300).await?,
        vec![],
        "after the last"
    );
    expect_eq!(
        load_all(&store, &fence, u64::MAX).await?,
        vec![],
        "after the largest position"
    );
    Ok(())
}

pub(super) async fn a_repeated_batch_changes_nothing(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let first = batch(1, vec![step(1, "1"), step(2, "2")]);
    checkpoint(&store, &lease.fence, first.clone()).await?;
    let before = stored_state(&store, &id("a")?).await?;
    let fence = checkpoint(&store, &lease.fence, first).await?;
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "after the repetition"
    );
    checkpoint(&store, &fence, batch(2, vec![step(3, "3")])).await?;
    Ok(())
}

pub(super) async fn the_last_batch_may_be_repeated_after_the_release(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let fence = checkpoint(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
    let last = ending(2, suspend());
    store.checkpoint(&fence, last.clone()).await?;
    let before = stored_state(&store, &id("a")?).await?;
    store.checkpoint(&fence, last).await?;
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "after the repetition"
    );
    Ok(())
}

pub(super) async fn an_old_fence_changes_nothing(store: Store) -> Outcome {
    let old = start_and_claim(&store, "a").await?;
    let fence = checkpoint(&store, &old.fence, batch(1, vec![step(1, "1")])).await?;
    let current = take_over(&store, &old).await?;
    let before = stored_state(&store, &id("a")?).await?;
    let late = batch(2, vec![step(2, "2"), step(1, "late")]);
    expect_error!(
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
    expect_error!(
        store.checkpoint(&fence, late).await,
        FenceLost,
        "a late end"
    );
    let repeated = batch(1, vec![step(1, "1")]);
    expect_error!(
        store.checkpoint(&fence, repeated).await,
        FenceLost,
        "a late repetition"
    );
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "after late checkpoints"
    );
    checkpoint(&store, &current.fence, batch(1, vec![step(2, "new")])).await?;
    expect_eq!(
        store.history(&id("a")?).await?,
        vec![step(1, "1"), step(2, "new")],
        "records of the new holder"
    );
    Ok(())
}

pub(super) async fn a_made_up_fence_changes_nothing(store: Store) -> Outcome {
    let mine = start_and_claim(&store, "a").await?.fence;
    start_and_claim(&store, "b").await?;
    let before = stored_state(&store, &id("b")?).await?;
    for token in ["", "0", "not a token", "-1", "99999999999999999999999"] {
        let mut fence = mine.clone();
        fence.token = token.into();
        expect_error!(
            store.checkpoint(&fence, batch(1, vec![step(1, "1")])).await,
            FenceLost,
            token
        );
        expect_error!(store.renew(&fence, NOW, TTL).await, FenceLost, token);
    }
    expect_eq!(
        stored_state(&store, &id("b")?).await?,
        before,
        "after made-up fences"
    );
    expect_eq!(
        store.history(&id("a")?).await?,
        vec![],
        "after made-up fences"
    );
    Ok(())
}

pub(super) async fn a_released_fence_changes_nothing(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    store.checkpoint(&lease.fence, ending(1, suspend())).await?;
    let before = stored_state(&store, &id("a")?).await?;
    let late = batch(2, vec![step(1, "1")]);
    expect_error!(
        store.checkpoint(&lease.fence, late).await,
        FenceLost,
        "records after the release"
    );
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "after the late checkpoint"
    );
    Ok(())
}

pub(super) async fn an_empty_batch_is_fenced_too(store: Store) -> Outcome {
    let old = start_and_claim(&store, "a").await?;
    checkpoint(&store, &old.fence, batch(1, vec![])).await?;
    take_over(&store, &old).await?;
    expect_error!(
        store.checkpoint(&old.fence, batch(2, vec![])).await,
        FenceLost,
        "an empty batch"
    );
    Ok(())
}

pub(super) async fn executions_are_separate(store: Store) -> Outcome {
    let (a, b) = (
        start_and_claim(&store, "a").await?,
        start_and_claim(&store, "b").await?,
    );
    checkpoint(&store, &a.fence, batch(1, vec![step(1, "1")])).await?;
    let fence = checkpoint(
        &store,
        &b.fence,
        batch(1, vec![step(1, "one"), step(2, "two")]),
    )
    .await?;
    expect_eq!(
        store.history(&id("a")?).await?,
        vec![step(1, "1")],
        "records of the first execution"
    );
    expect_eq!(
        load_all(&store, &fence, 1).await?,
        vec![step(2, "two")],
        "records of the second execution"
    );
    Ok(())
}

pub(super) async fn many_executions_can_be_written_concurrently(store: Store) -> Outcome {
    let mut tasks = JoinSet::new();
    for n in 0..32 {
        let store = store.clone();
        tasks.spawn(async move { run_one(store, &format!("run-{n:02}")).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|lost| Defect::new(format!("a task panicked: {lost}")))??;
    }
    for n in 0..32 {
        let records: Vec<_> = (1..=8).map(|seq| step(seq, "1")).collect();
        let history = store.history(&id(&format!("run-{n:02}"))?).await?;
        expect_eq!(history, records, "records of one execution");
    }
    Ok(())
}

async fn run_one(store: Store, name: &str) -> Outcome {
    store.start(new(name)?).await?;
    let mut fence = store.claim(&id(name)?, NOW, TTL).await?.fence;
    for seq in 1..=8 {
        fence = checkpoint(&store, &fence, batch(seq, vec![step(seq, "1")])).await?;
    }
    store.checkpoint(&fence, ending(9, suspend())).await?;
    Ok(())
}
