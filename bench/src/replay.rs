//! Replay of a handler whose steps are all recorded.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;

use crate::allocations;
use crate::floor;
use crate::opened::{Opened, execution_id};
use crate::report::{Line, Samples};
use crate::row::Row;
use crate::settings::Settings;

/// Duration of the loop over the steps, for each run.
#[derive(Default)]
struct Loops(Mutex<Vec<Duration>>);

#[durable]
async fn replayed(loops: &Loops, n: u32) -> Result<u64, BoxError> {
    let start = Timer::start();
    let mut total = 0;
    for i in 0..n {
        let row = step!("load", key = i, load(i).await).await?;
        total += u64::from(row.rows);
    }
    start.stop(loops);
    // Longer than the handler takes to be suspended, also on a busy machine.
    wait!("end", Duration::from_millis(100)).await;
    Ok(total)
}

async fn load(n: u32) -> Result<Row, BoxError> {
    Ok(Row::new(n))
}

/// Timer of the benchmark, which the handler reads on every replay on purpose.
struct Timer(Instant);

impl Timer {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn stop(&self, loops: &Loops) {
        if let Ok(mut loops) = loops.0.lock() {
            loops.push(self.0.elapsed());
        }
    }
}

/// Replays `n` recorded steps several times, alternating with the floors.
pub async fn measure(settings: &Settings) -> Result<(), BoxError> {
    const ROUNDS: u32 = 15;
    let n = settings.n;
    let opened = Opened::open(&settings.store).await?;
    let (mut measured, mut maps, mut decodes) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let loops = Loops::default();
        let report = durable::run(replayed, execution_id(round), n)
            .state(&loops)
            .store(opened.store.clone())
            .suspend_after(Duration::ZERO)
            .report()
            .await;
        report.output?;
        if report.steps_replayed < u64::from(n) {
            return Err(
                format!("only {} of {n} steps were replayed", report.steps_replayed).into(),
            );
        }
        // The first run executes the steps. The second one, after the wait, replays them all.
        let replays = loops.0.lock().map_err(|error| error.to_string())?;
        measured.extend(replays.last().copied());
        maps.push(floor::look_up(n)?);
        decodes.push(floor::decode(n)?);
    }
    let (measured, decodes) = (Samples::new(measured, n), Samples::new(decodes, n));
    let mut line = Line::new("replay", opened.name, settings, "us_per_step", &measured)
        .floor("map_lookup_and_decode", &Samples::new(maps, n))
        .floor("decode", &decodes)
        .with("beyond_decoding_p50", measured.p50() - decodes.p50());
    line.allocations_per_step = Some(allocations::replayed()?);
    line.print()?;
    opened.close()?;
    Ok(())
}
