//! Workflows of the benchmark.

use std::time::Duration;

use durare::{DurableContext, Result};
use peer_common::Row;
use peer_common::probes::{LAPS, POINT, WAKE_UPS, time_until};

/// Topic of the messages to [`receiver`].
pub const TOPIC: &str = "number";

const HOUR: Duration = Duration::from_secs(3600);

async fn load(context: &DurableContext, n: u32) -> Result<Row> {
    context
        .step("load", move || async move { Ok(Row::new(n)) })
        .await
}

#[durare::workflow]
pub async fn sequential(ctx: DurableContext, n: u32) -> Result<u64> {
    let mut total = 0;
    LAPS.lap();
    for i in 0..n {
        total += u64::from(load(&ctx, i).await?.rows);
        LAPS.lap();
    }
    Ok(total)
}

#[durare::workflow]
pub async fn many(ctx: DurableContext, steps: u32) -> Result<u64> {
    let mut total = 0;
    for i in 0..steps {
        total += u64::from(load(&ctx, i).await?.rows);
    }
    Ok(total)
}

#[durare::workflow]
pub async fn first(ctx: DurableContext, _: ()) -> Result<u64> {
    reach(&ctx, "first").await
}

#[durare::workflow]
pub async fn receiver(ctx: DurableContext, _: ()) -> Result<u64> {
    ctx.recv::<u32>(TOPIC, HOUR).await?;
    reach(&ctx, "received").await
}

async fn reach(context: &DurableContext, name: &str) -> Result<u64> {
    context
        .step(name, || async {
            POINT.reach();
            Ok(1)
        })
        .await
}

#[durare::workflow]
pub async fn sleeper(ctx: DurableContext, until: i64) -> Result<u64> {
    ctx.sleep(time_until(until)).await?;
    ctx.step("note", move || async move {
        WAKE_UPS.record(until);
        Ok(1)
    })
    .await
}

#[durare::workflow]
pub async fn batches(ctx: DurableContext, (n, batches): (u32, u32)) -> Result<u64> {
    let items: Vec<u64> = (0..u64::from(n)).collect();
    let mut total = 0;
    for batch in items.chunks(items.len().div_ceil(batches as usize).max(1)) {
        total += ctx
            .step("sum", || async {
                Ok(batch
                    .iter()
                    .map(|item| std::hint::black_box(*item))
                    .sum::<u64>())
            })
            .await?;
    }
    Ok(total)
}

#[durare::workflow]
pub async fn long(ctx: DurableContext, n: u32) -> Result<u64> {
    let mut total = 0;
    LAPS.lap();
    for i in 0..n {
        total += u64::from(load(&ctx, i).await?.rows);
    }
    LAPS.lap();
    POINT.reach();
    ctx.sleep(HOUR).await?;
    Ok(total)
}
