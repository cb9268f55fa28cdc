//! Workflows of the benchmark.

use std::time::Duration;

use dbos::{Error, Result};
use peer_common::Row;
use peer_common::probes::{LAPS, POINT, WAKE_UPS, time_until};

/// Topic of the messages to [`receiver`].
pub const TOPIC: &str = "number";

const HOUR: Duration = Duration::from_secs(3600);

async fn load(n: u32) -> Result<Row> {
    dbos::step("load", move || async move { Ok::<_, Error>(Row::new(n)) }).await
}

pub async fn sequential(n: u32) -> Result<u64> {
    let mut total = 0;
    LAPS.lap();
    for i in 0..n {
        total += u64::from(load(i).await?.rows);
        LAPS.lap();
    }
    Ok(total)
}

pub async fn many(steps: u32) -> Result<u64> {
    let mut total = 0;
    for i in 0..steps {
        total += u64::from(load(i).await?.rows);
    }
    Ok(total)
}

pub async fn first(_: ()) -> Result<u64> {
    reach("first").await
}

pub async fn receiver(_: ()) -> Result<u64> {
    let _: Option<u32> = dbos::recv(Some(TOPIC), HOUR).await?;
    reach("received").await
}

async fn reach(name: &str) -> Result<u64> {
    dbos::step(name, || async {
        POINT.reach();
        Ok(1)
    })
    .await
}

pub async fn sleeper(until: i64) -> Result<u64> {
    dbos::sleep(time_until(until)).await?;
    dbos::step("note", move || async move {
        WAKE_UPS.record(until);
        Ok(1)
    })
    .await
}

pub async fn batches((n, batches): (u32, u32)) -> Result<u64> {
    let items: Vec<u64> = (0..u64::from(n)).collect();
    let mut total = 0;
    for batch in items.chunks(items.len().div_ceil(batches as usize).max(1)) {
        total += dbos::step("sum", || async {
            Ok(batch
                .iter()
                .map(|item| std::hint::black_box(*item))
                .sum::<u64>())
        })
        .await?;
    }
    Ok(total)
}

pub async fn long(n: u32) -> Result<u64> {
    let mut total = 0;
    LAPS.lap();
    for i in 0..n {
        total += u64::from(load(i).await?.rows);
    }
    LAPS.lap();
    POINT.reach();
    dbos::sleep(HOUR).await?;
    Ok(total)
}
