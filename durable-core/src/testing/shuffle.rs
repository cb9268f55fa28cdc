//! Runs a handler repeatedly, in different orders, at different times and with different random numbers.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::boundaries::Treatment;
use super::finding::Finding;
use super::rerun::differences;
use super::run::TestRun;
use super::scenario::Scenario;
use super::script::Pattern;
use super::world::World;
use crate::runtime::handler::{Durable, Handler, IntoHandler};

/// Default number of runs compared with the first.
const ROUNDS: u32 = 12;

/// Checks that `handler` is deterministic.
///
/// Runs it repeatedly, delaying bodies and checkpoints at random so that concurrent operations finish in a different
/// order, and replays each of those runs from its history. All runs must agree, and no replay may reach an operation
/// that its run did not.
///
/// That finds what the attribute cannot see: helpers that read the clock, draw random numbers, count in a
/// `static` or iterate over a `HashMap`. Each run starts at least a millisecond after the previous one. A clock value
/// rounded to days therefore looks deterministic.
///
/// `state` creates the state for each run. `record!` returns the same values in all runs. If a different order lets
/// a different arm of a `race!` win, the run is only compared with its own replay.
///
/// ```
/// use durable_core::testing::shuffled;
/// # use durable_core::*;
/// # async fn f<F>(import: F) where F: IntoHandler + 'static, F::Handler: Handler<()> + Durable<Input = u32, Output = u32> {
/// shuffled(import, |_| (), 3).await.unwrap();
/// # }
/// ```
///
/// The order comes from a random seed that a finding names. Set `DURABLE_SEED` to repeat it.
pub fn shuffled<F: IntoHandler, S>(
    _handler: F,
    state: impl Fn(&World) -> S + 'static,
    input: <F::Handler as Durable>::Input,
) -> Shuffled<F::Handler, S>
where
    S: Sync + 'static,
    F::Handler: Handler<S>,
{
    Shuffled {
        scenario: Scenario::new(input, state),
        rounds: ROUNDS,
        seed: None,
    }
}

/// Runs that have not started yet. Returned by [`shuffled`]; await it to get its [`Shuffles`].
#[must_use = "nothing runs until it is awaited"]
pub struct Shuffled<H: Durable, S> {
    scenario: Scenario<H, S>,
    rounds: u32,
    seed: Option<u64>,
}

impl<H: Durable, S> Shuffled<H, S> {
    /// Configures external answers, failures and durations, as for a [`TestRun`].
    pub fn given(
        mut self,
        given: impl Fn(TestRun<'static, H, ()>) -> TestRun<'static, H, ()> + 'static,
    ) -> Self {
        self.scenario.given = Box::new(given);
        self
    }

    /// Allows the value of this operation to differ between runs, for example because its body draws random numbers
    /// or reads the clock.
    pub fn varies(mut self, name: &str) -> Self {
        self.scenario.varies.push(Pattern::new(name));
        self
    }

    /// Sets how many runs to compare with the first.
    pub fn rounds(mut self, rounds: u32) -> Self {
        self.rounds = rounds;
        self
    }

    /// Sets the seed of the random orders.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// Runs that agreed.
#[derive(Debug)]
pub struct Shuffles {
    rounds: u32,
    decided_otherwise: u32,
    seed: u64,
}

impl Shuffles {
    /// The number of runs after the first.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// The number of runs in which a different arm of a `race!` won or a `map!` or `parallel!` had a different result.
    pub fn decided_otherwise(&self) -> u32 {
        self.decided_otherwise
    }

    /// The seed of the random orders.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

impl<H, S> IntoFuture for Shuffled<H, S>
where
    S: Sync + 'static,
    H: Handler<S>,
{
    type Output = Result<Shuffles, Finding>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<H, S> Shuffled<H, S>
where
    S: Sync + 'static,
    H: Handler<S>,
{
    async fn run(mut self) -> Result<Shuffles, Finding> {
        let seed = self.seed.map_or_else(seed_of_environment, Ok)?;
        let scenario = &mut self.scenario;
        scenario.named("shuffled")?;
        let mut first = scenario
            .play(Treatment::Undisturbed, &Arc::default())
            .await?;
        let reused = Arc::new(std::mem::take(&mut first.recorded));
        let mut decided_otherwise = 0;
        for round in 0..=self.rounds {
            wait_for_next_millisecond();
            let snapshot = match round {
                0 => None,
                round => {
                    let random = fastrand::Rng::with_seed(seed.wrapping_add(u64::from(round)));
                    Some(scenario.play(Treatment::Delay(random), &reused).await?)
                }
            };
            let run = snapshot.as_ref().unwrap_or(&first);
            let mut found = if run.decisions() == first.decisions() {
                first.compare(run, &scenario.varies)
            } else {
                decided_otherwise += 1;
                Vec::new()
            };
            let state = (scenario.state)(&World::new());
            let replayed = differences::<H, S>(&run.histories, &scenario.id, &state).await;
            found.extend(replayed?);
            if !found.is_empty() {
                return Err(Finding::new(format!(
                    "`{}` differs from run to run (run {round}, DURABLE_SEED={seed}):\n  {}",
                    H::NAME,
                    found.join("\n  ")
                )));
            }
        }
        Ok(Shuffles {
            rounds: self.rounds,
            decided_otherwise,
            seed,
        })
    }
}

fn seed_of_environment() -> Result<u64, Finding> {
    match std::env::var("DURABLE_SEED") {
        Ok(seed) => seed.parse().map_err(|_| {
            Finding::new(format!(
                "invalid environment variable DURABLE_SEED={seed:?}: expected an integer from 0 to 2^64 - 1"
            ))
        }),
        Err(_) => Ok(fastrand::u64(..)),
    }
}

/// Waits until the system clock shows the next millisecond, so that code that reads it sees a different time.
fn wait_for_next_millisecond() {
    let millis = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis())
    };
    let (before, began) = (millis(SystemTime::now()), Instant::now());
    while millis(SystemTime::now()) == before && began.elapsed().as_millis() < 2 {
        std::hint::spin_loop();
    }
}

impl fmt::Display for Shuffles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} runs from DURABLE_SEED={}", self.rounds, self.seed)
    }
}
