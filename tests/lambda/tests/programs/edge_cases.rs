//! Tests of unusual handlers.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use durable::prelude::*;

use crate::harness::{Harness, config, value};
use crate::subject::Log;

#[durable]
pub(crate) async fn returns_beside_a_step(_log: &Log, n: u32) -> Result<u32, BoxError> {
    let inside = scope!("inside", { Ok(step!("beside", Ok::<_, String>(n)).await?) });
    let mut inside = pin!(inside);
    let mut alone = pin!(step!("alone", Ok::<_, String>(n)));
    let first = step!("first", Ok::<_, String>(n + 1)).await?;
    poll_fn(|cx| {
        let _ = inside.as_mut().poll(cx);
        let _ = alone.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await;
    Ok(first)
}

#[tokio::test]
async fn operations_that_end_with_the_execution_are_sent_with_their_start() {
    let harness = Harness::new("returns_beside_a_step", config()).await;
    let (execution, outcome) = harness.run(1).await;
    assert_eq!(value(&outcome), 2);
    harness.assert_well_behaved();
    let closed = execution.operations();
    let closed = closed.iter().filter(|one| one.status.is_closed());
    assert!(closed.count() >= 1);
}

#[durable]
pub(crate) async fn publishes(_log: &Log, n: u32) -> Result<u32, BoxError> {
    publish!("progress", 0)?;
    let value = step!("step", Ok::<_, String>(n)).await?;
    publish!("progress", 100)?;
    Ok(value)
}

#[tokio::test]
async fn published_values_add_no_operation() {
    let harness = Harness::new("publishes", config()).await;
    let (execution, outcome) = harness.run(7).await;
    assert_eq!(value(&outcome), 7);
    harness.assert_well_behaved();
    let names: Vec<_> = execution
        .operations()
        .into_iter()
        .filter_map(|one| one.name)
        .collect();
    // The first is the harness.
    assert_eq!(names, ["scene", "step"]);
}
