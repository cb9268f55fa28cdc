//! Sleeping workflows: their memory, and the delay of their wake-ups.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::probes::{WAKE_UPS, now_ms};
use crate::workloads::until_waiting;
use crate::{Arguments, BoxError, Job, Line, Peer, Samples, process};

/// Workflows that start at once.
const STARTS: usize = 4;

/// Resident memory while all workflows sleep: at first, and shortly before the first wake-up.
struct Asleep {
    first: u64,
    later: u64,
}

/// Puts `n` workflows to sleep whose wake-ups are spread over a time.
pub async fn measure<P: Peer>(
    peer: &Arc<P>,
    arguments: &Arguments,
    run: u32,
) -> Result<(), BoxError> {
    let before = process::rss_kib();
    let asleep = put_to_sleep(peer, arguments).await?;
    let delays = WAKE_UPS.take(arguments.n()).await;
    let samples = Samples::of(delays.into_iter().map(|delay| delay as f64));
    Line::new(P::LIBRARY, arguments, run, "ms_late", &samples)
        .with("spread_s", arguments.flags.spread().as_secs_f64())
        .with("rss_before_kib", before as f64)
        .with("rss_asleep_kib", asleep.first as f64)
        .with("rss_asleep_later_kib", asleep.later as f64)
        .print()
}

/// Starts the workflows and waits until all have recorded their sleep.
async fn put_to_sleep<P: Peer>(peer: &Arc<P>, arguments: &Arguments) -> Result<Asleep, BoxError> {
    let (n, spread) = (arguments.n(), arguments.flags.spread());
    // All workflows have to sleep before the first wake-up.
    let lead = Duration::from_secs(5) + Duration::from_millis(4) * n;
    let (first, start_time) = (now_ms() + millis(lead), Instant::now());
    let mut starts = JoinSet::new();
    for i in 0..n {
        let until = first + millis(spread * i / n);
        let peer = Arc::clone(peer);
        starts.spawn(async move {
            let handle = peer.start(Job::Sleeper(until)).await?;
            until_waiting(&*peer, &P::id(&handle)).await
        });
        // The sleep has a duration, not an end. Many starts at once would delay it, and thus its end.
        if starts.len() >= STARTS {
            starts.join_next().await.transpose()?.transpose()?;
        }
    }
    while let Some(started) = starts.join_next().await {
        started??;
    }
    let asleep = process::rss_kib();
    let left = lead.saturating_sub(start_time.elapsed());
    if left.is_zero() {
        return Err("the workflows did not sleep before the first wake-up".into());
    }
    tokio::time::sleep(left.mul_f64(0.9)).await;
    Ok(Asleep {
        first: asleep,
        later: process::rss_kib(),
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
