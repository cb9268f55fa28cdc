//! Kills the process at every boundary of a run.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;

use super::boundaries::{Boundary, Treatment};
use super::finding::Finding;
use super::run::TestRun;
use super::scenario::Scenario;
use super::script::Pattern;
use super::world::World;
use crate::runtime::handler::{Durable, Handler, IntoHandler};

/// Checks that `handler` survives a crash at any point.
///
/// Runs it undisturbed, then kills its process at each boundary of that run: before and after each body, and before
/// and after each checkpoint. Each time another process resumes the execution. It must end the same way and with
/// the same recorded outcomes, and must not run a body whose outcome was recorded.
///
/// `state` creates the state for each run. The state also represents the external world, so it survives the crash.
/// `record!` returns the same values in all runs.
///
/// ```
/// use durable_core::testing::crash_everywhere;
/// # use durable_core::*;
/// # async fn f<F>(import: F) where F: IntoHandler + 'static, F::Handler: Handler<()> + Durable<Input = u32, Output = u32> {
/// let crashes = crash_everywhere(import, |_| (), 3).await.unwrap();
/// assert!(crashes.count() > 10);
/// # }
/// ```
///
/// An `at_most_once` step that was interrupted fails with [`Interrupted`](crate::ErrorKind::Interrupted), as it
/// should. What the handler does after that error is not compared.
pub fn crash_everywhere<F: IntoHandler, S>(
    _handler: F,
    state: impl Fn(&World) -> S + 'static,
    input: <F::Handler as Durable>::Input,
) -> CrashEverywhere<F::Handler, S>
where
    S: Sync + 'static,
    F::Handler: Handler<S>,
{
    CrashEverywhere(Scenario::new(input, state))
}

/// A crash test that has not run yet. Returned by [`crash_everywhere`]; await it to get its [`Crashes`].
#[must_use = "nothing crashes until it is awaited"]
pub struct CrashEverywhere<H: Durable, S>(Scenario<H, S>);

impl<H: Durable, S> CrashEverywhere<H, S> {
    /// Configures external answers, failures and durations, as for a [`TestRun`].
    pub fn given(
        mut self,
        given: impl Fn(TestRun<'static, H, ()>) -> TestRun<'static, H, ()> + 'static,
    ) -> Self {
        self.0.given = Box::new(given);
        self
    }

    /// Compares this view of the state at the end of each run. It must be the same after a crash as without one, so
    /// it reveals effects that are not idempotent.
    pub fn comparing<T: fmt::Debug>(mut self, view: impl Fn(&S) -> T + 'static) -> Self {
        self.0.view = Some(Box::new(move |state| format!("{:#?}", view(state))));
        self
    }

    /// Allows the value of this operation to differ between runs, for example because its body draws random numbers
    /// or reads the clock.
    pub fn varies(mut self, name: &str) -> Self {
        self.0.varies.push(Pattern::new(name));
        self
    }
}

/// Crashes that the handler survived.
#[derive(Debug)]
pub struct Crashes {
    boundaries: Vec<Boundary>,
}

impl Crashes {
    /// The number of crashes.
    pub fn count(&self) -> usize {
        self.boundaries.len()
    }

    /// The boundaries at which the process died, in the order of the run.
    pub fn boundaries(&self) -> &[Boundary] {
        &self.boundaries
    }
}

impl<H, S> IntoFuture for CrashEverywhere<H, S>
where
    S: Sync + 'static,
    H: Handler<S>,
{
    type Output = Result<Crashes, Finding>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<H, S> CrashEverywhere<H, S>
where
    S: Sync + 'static,
    H: Handler<S>,
{
    async fn run(mut self) -> Result<Crashes, Finding> {
        let scenario = &mut self.0;
        scenario.named("crash-everywhere")?;
        let mut undisturbed = scenario
            .play(Treatment::Undisturbed, &Arc::default())
            .await?;
        let reused = Arc::new(std::mem::take(&mut undisturbed.recorded));
        let problems = undisturbed.compare(&undisturbed, &scenario.varies);
        if !problems.is_empty() {
            let text = problems.join("\n  ");
            return Err(Finding::new(format!(
                "`{}` is not deterministic, even undisturbed:\n  {text}",
                H::NAME
            )));
        }
        let mut boundaries = Vec::new();
        let total = undisturbed.boundaries.len();
        for at in 0..total {
            let snapshot = scenario.play(Treatment::Crash(at), &reused).await?;
            let differences = undisturbed.compare(&snapshot, &scenario.varies);
            let boundary = match &snapshot.died {
                Some((boundary, _)) => boundary.clone(),
                // The run diverged and ended before it reached this boundary.
                None => undisturbed.boundaries[at].clone(),
            };
            if !differences.is_empty() {
                let text = format!(
                    "`{}` does not survive a crash {boundary} (boundary {} of {total}):\n  {}",
                    H::NAME,
                    at + 1,
                    differences.join("\n  ")
                );
                return Err(Finding::at(text, boundary));
            }
            boundaries.push(boundary);
        }
        Ok(Crashes { boundaries })
    }
}
