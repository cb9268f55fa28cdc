//! Replay of recorded steps after the end of the process that ran them.

use std::time::{Duration, Instant};

use crate::arguments::new_version;
use crate::probes::{LAPS, POINT};
use crate::{Arguments, BoxError, Job, Line, Peer, Samples};

const ROUNDS: u32 = 9;

/// Runs `n` steps, then recovers the workflow several times. `replay` counts the loop over the steps, `resume` also what
/// comes before it.
///
/// The end of a runtime, with all of its tasks, stands for that of a process.
pub fn measure<P: Peer>(arguments: &Arguments, run: u32) -> Result<(), BoxError> {
    if arguments.workload == "replay" && arguments.store() != "memory:" {
        return Err(arguments.unsupported_store("`memory:`"));
    }
    let (version, n) = (new_version(), arguments.n());
    arguments.runtime()?.block_on(async {
        let peer = P::open(arguments, &version).await?;
        peer.launch().await?;
        let start = Instant::now();
        peer.start(Job::Long(n)).await?;
        POINT.reached_since(start).await;
        Ok::<_, BoxError>(())
    })?;
    let live = LAPS.take();
    let (mut resumes, mut loops) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        resumes.push(
            arguments
                .runtime()?
                .block_on(recover::<P>(arguments, &version))?,
        );
        loops.extend(LAPS.take());
    }
    let loops = Samples::new(loops, n);
    let resumes = Samples::new(resumes, n);
    let replay = arguments.workload == "replay";
    let samples = if replay { &loops } else { &resumes };
    Line::new(P::LIBRARY, arguments, run, "us_per_step", samples)
        .with("live_us_per_step", Samples::new(live, n).p50())
        .with("loop_us_per_step", loops.p50())
        .with("resume_ms_p50", resumes.p50() * f64::from(n) / 1e3)
        .print()
}

/// Returns the time from the call that recovers the workflow to the end of its loop.
async fn recover<P: Peer>(arguments: &Arguments, version: &str) -> Result<Duration, BoxError> {
    let peer = P::open(arguments, version).await?;
    let start = Instant::now();
    peer.recover().await?;
    Ok(POINT.reached_since(start).await)
}
