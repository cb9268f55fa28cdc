//! The process dies at every boundary of a run.

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

/// Runs `handler` undisturbed, then lets its process die at each boundary of that run: before and after
/// each body, before and after each checkpoint. Each time another process goes on, and has to come to
/// the same end, with the same outcomes on record, without running a body whose outcome was recorded.
///
/// `state` makes the state anew for each run; it is the world outside too, so it lives on when a process
/// dies. What `record!` gave in the undisturbed run it gives in all.
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
/// An `at_most_once` step that was cut off ends with an error of the kind
/// [`Interrupted`](crate::ErrorKind::Interrupted), as it should: what the handler makes of that is not compared.
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

/// Crashes to come. Made by [`crash_everywhere`], awaited for their [`Crashes`].
#[must_use = "nothing crashes until it is awaited"]
pub struct CrashEverywhere<H: Durable, S>(Scenario<H, S>);

impl<H: Durable, S> CrashEverywhere<H, S> {
    /// What the outside gives, said as for a [`TestRun`].
    pub fn given(
        mut self,
        given: impl Fn(TestRun<'static, H, ()>) -> TestRun<'static, H, ()> + 'static,
    ) -> Self {
        self.0.given = Box::new(given);
        self
    }

    /// What of the state has to be the same in the end, however often bodies ran: what a body that is
    /// not idempotent would leave twice.
    pub fn comparing<T: fmt::Debug>(mut self, view: impl Fn(&S) -> T + 'static) -> Self {
        self.0.view = Some(Box::new(move |state| format!("{:#?}", view(state))));
        self
    }

    /// The value of this operation may be another in each run: its body makes random numbers, or reads
    /// the clock.
    pub fn varies(mut self, name: &str) -> Self {
        self.0.varies.push(Pattern::new(name));
        self
    }
}

/// The crashes that changed nothing.
#[derive(Debug)]
pub struct Crashes {
    boundaries: Vec<Boundary>,
}

impl Crashes {
    /// How often the process died.
    pub fn count(&self) -> usize {
        self.boundaries.len()
    }

    /// Where it died, in the order of the run.
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
        let mut quiet = scenario.play(Treatment::Quiet, &Arc::default()).await?;
        let given = Arc::new(std::mem::take(&mut quiet.recorded));
        let undisturbed = quiet.compare(&quiet, &scenario.varies);
        if !undisturbed.is_empty() {
            let text = undisturbed.join("\n  ");
            return Err(Finding::new(format!(
                "`{}` is not deterministic, even undisturbed:\n  {text}",
                H::NAME
            )));
        }
        let mut boundaries = Vec::new();
        let total = quiet.boundaries.len();
        for at in 0..total {
            let scene = scenario.play(Treatment::Crash(at), &given).await?;
            let differences = quiet.compare(&scene, &scenario.varies);
            let boundary = match &scene.died {
                Some((boundary, _)) => boundary.clone(),
                // The run took another way and has ended before.
                None => quiet.boundaries[at].clone(),
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
