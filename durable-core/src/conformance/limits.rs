//! Limits on size: what exceeds them is refused completely.

use super::fixture::{
    NOW, batch, checkpoint, child, ending, id, json, load_all, new, start_and_claim, step,
    stored_state, with_callback,
};
use super::{Outcome, Store, expect_eq, expect_error};
use crate::model::record::Completion;
use crate::store::{Batch, ExecutionUpdate};

pub(super) async fn a_value_over_the_limit_is_refused(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let before = stored_state(&store, &id("a")?).await?;
    let mut large = step(2, "");
    large.payload = Some(json(vec![b'7'; store.capabilities().max_value + 1]));
    let tried = store
        .checkpoint(&lease.fence, batch(1, vec![step(1, "1"), large]))
        .await;
    expect_error!(tried, TooLarge, "a value over the limit");
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "after the refusal"
    );
    checkpoint(&store, &lease.fence, batch(1, vec![step(1, "1")])).await?;
    Ok(())
}

pub(super) async fn an_output_over_the_limit_is_refused(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let before = stored_state(&store, &id("a")?).await?;
    let output = json(vec![b'7'; store.capabilities().max_output + 1]);
    let tried = store
        .checkpoint(&lease.fence, ending(1, ExecutionUpdate::Succeed { output }))
        .await;
    expect_error!(tried, TooLarge, "an output over the limit");
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "after the refusal"
    );
    Ok(())
}

pub(super) async fn an_input_over_the_limit_is_refused(store: Store) -> Outcome {
    let mut large = new("a")?;
    large.input = json(vec![b'7'; store.capabilities().max_value + 1]);
    expect_error!(
        store.start(large).await,
        TooLarge,
        "an input over the limit"
    );
    expect_error!(
        store.get(&id("a")?).await,
        NotFound,
        "the execution that was not started"
    );
    Ok(())
}

pub(super) async fn a_large_value_is_kept(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let size = store.capabilities().max_value.min(3 << 20);
    let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
    let mut large = step(1, "");
    large.payload = Some(json(bytes));
    let records = vec![large, step(2, "2")];
    let fence = checkpoint(&store, &lease.fence, batch(1, records.clone())).await?;
    expect_eq!(
        load_all(&store, &fence, 0).await? == records,
        true,
        "the value is unchanged"
    );
    Ok(())
}

pub(super) async fn an_input_of_a_child_over_the_limit_is_refused(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let before = stored_state(&store, &id("a")?).await?;
    let (record, mut child) = child("a", 1, "b")?;
    child.input = json(vec![b'7'; store.capabilities().max_value + 1]);
    let next = child.clone();
    let batch = Batch {
        id: 1,
        records: vec![record],
        children: vec![child],
        seen: 0,
        messages_after: None,
        execution: None,
    };
    expect_error!(
        store.checkpoint(&lease.fence, batch.into()).await,
        TooLarge,
        "an input of a child over the limit"
    );
    let update = ExecutionUpdate::Continue { next };
    expect_error!(
        store.checkpoint(&lease.fence, ending(1, update)).await,
        TooLarge,
        "a next input over the limit"
    );
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "after the refusal"
    );
    expect_error!(
        store.get(&id("b")?).await,
        NotFound,
        "the child that was not started"
    );
    Ok(())
}

pub(super) async fn an_outcome_over_the_limit_is_refused(store: Store) -> Outcome {
    let (_, callback, _) = with_callback(&store, "a").await?;
    let before = stored_state(&store, &id("a")?).await?;
    let large = Completion::Succeed(json(vec![b'7'; store.capabilities().max_value + 1]));
    expect_error!(
        store.complete(&callback, large, NOW).await,
        TooLarge,
        "an outcome over the limit"
    );
    expect_eq!(
        stored_state(&store, &id("a")?).await?,
        before,
        "after the refusal"
    );
    Ok(())
}
