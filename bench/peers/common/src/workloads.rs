//! Workloads in one process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::arguments::new_version;
use crate::probes::{LAPS, POINT};
use crate::{Arguments, BoxError, Job, Line, Peer, Samples, sleeping};

/// Name of the operation that both durare and dbos record before they wait for a time or a message.
const WAIT: &str = "DBOS.sleep";

/// Measures a workload and prints its result line.
pub async fn measure<P: Peer>(arguments: &Arguments, run: u32) -> Result<(), BoxError> {
    let known = [
        "sequential",
        "many",
        "start_latency",
        "wake",
        "sleeping",
        "batches",
    ];
    let workload = arguments.workload.as_str();
    if !known.contains(&workload) {
        return Err(arguments.unsupported());
    }
    let peer = Arc::new(P::open(arguments, &new_version()).await?);
    peer.launch().await?;
    if workload == "sleeping" {
        return sleeping::measure(&peer, arguments, run).await;
    }
    let n = arguments.n();
    let (unit, samples) = match workload {
        "sequential" => ("us_per_step", sequential(&*peer, n).await?),
        "many" => ("us_per_step", many(&peer, arguments).await?),
        "start_latency" => ("us", start_latency(&*peer, n).await?),
        "wake" => ("us", wake(&*peer, n).await?),
        _ => (
            "us_per_item",
            batches(&*peer, n, arguments.flags.steps).await?,
        ),
    };
    Line::new(P::LIBRARY, arguments, run, unit, &samples).print()
}

async fn sequential<P: Peer>(peer: &P, n: u32) -> Result<Samples, BoxError> {
    P::result(peer.start(Job::Sequential(n)).await?).await?;
    Ok(Samples::new(LAPS.take(), 1))
}

async fn many<P: Peer>(peer: &Arc<P>, arguments: &Arguments) -> Result<Samples, BoxError> {
    let permits = Arc::new(Semaphore::new(arguments.concurrency));
    let mut runs = JoinSet::new();
    let start = Instant::now();
    for _ in 0..arguments.n() {
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let (peer, steps) = (Arc::clone(peer), arguments.flags.steps);
        runs.spawn(async move {
            let total = P::result(peer.start(Job::Many(steps)).await?).await;
            drop(permit);
            total
        });
    }
    while let Some(done) = runs.join_next().await {
        done??;
    }
    let steps = arguments.n() * arguments.flags.steps;
    Ok(Samples::new([start.elapsed()], steps))
}

async fn start_latency<P: Peer>(peer: &P, n: u32) -> Result<Samples, BoxError> {
    let mut took = Vec::new();
    for _ in 0..n {
        let start = Instant::now();
        let handle = peer.start(Job::First).await?;
        took.push(POINT.reached_since(start).await);
        P::result(handle).await?;
    }
    Ok(Samples::new(took, 1))
}

async fn wake<P: Peer>(peer: &P, n: u32) -> Result<Samples, BoxError> {
    let mut took = Vec::new();
    for number in 0..n {
        let handle = peer.start(Job::Receiver).await?;
        let id = P::id(&handle);
        until_waiting(peer, &id).await?;
        // Pauses differ, so that messages arrive at all points of a poll interval.
        tokio::time::sleep(Duration::from_millis(u64::from(number * 7 % 50))).await;
        let start = Instant::now();
        peer.send(&id, number).await?;
        took.push(POINT.reached_since(start).await);
        P::result(handle).await?;
    }
    Ok(Samples::new(took, 1))
}

async fn batches<P: Peer>(peer: &P, n: u32, batches: u32) -> Result<Samples, BoxError> {
    let start = Instant::now();
    P::result(peer.start(Job::Batches { n, batches }).await?).await?;
    Ok(Samples::new([start.elapsed()], n))
}

/// Waits until a workflow has recorded that it waits.
pub async fn until_waiting<P: Peer>(peer: &P, id: &str) -> Result<(), BoxError> {
    while !peer.recorded(id).await?.iter().any(|name| name == WAIT) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}
