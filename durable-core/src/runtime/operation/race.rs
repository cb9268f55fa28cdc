//! `race!`: the first of several futures wins. The winner is durable before its arm runs.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use crate::engine::{Outcome, Unreadable};
use crate::model::payload::Payload;
use crate::runtime::context::Context;
use crate::runtime::panic;
use crate::runtime::registered::{Answer, Operation};

/// Running race.
pub struct Race<'a> {
    operation: Operation<'a>,
    inside: Context,
    arms: &'static [&'static str],
    winner: Option<usize>,
}

/// Starts a race between arms with these names.
pub async fn race<'a>(operation: Operation<'a>, arms: &'static [&'static str]) -> Race<'a> {
    let winner = match operation.decide().await {
        Answer::Run => {
            operation.enter();
            None
        }
        Answer::Recorded(outcome) => Some(operation.readable(recorded_winner(outcome, arms)).await),
    };
    let inside = operation.child();
    Race {
        operation,
        inside,
        arms,
        winner,
    }
}

/// Returns the index of the recorded winner.
fn recorded_winner(outcome: Outcome, arms: &[&str]) -> Result<usize, Unreadable> {
    let quoted: Vec<String> = arms.iter().map(|arm| format!("`{arm}`")).collect();
    let expected = format!("one of the arms {}", quoted.join(", "));
    let name: Option<String> = match outcome {
        Outcome::Value(payload) => serde_json::from_slice(&payload.data).ok(),
        _ => None,
    };
    let Some(name) = name else {
        let (fault, remedy) = ("it does not name an arm", "restore the call site");
        return Err(Unreadable::outline("winner", expected, fault, remedy));
    };
    let index = arms.iter().position(|arm| *arm == name);
    index.ok_or_else(|| {
        let fault = format!("the arm `{name}` has won, but there is no arm of that name");
        let remedy = format!("name the arm `{name}` again");
        Unreadable::outline("winner", expected, fault, remedy)
    })
}

impl Race<'_> {
    /// Returns the context of the arms.
    pub fn inside(&self) -> &Context {
        &self.inside
    }

    /// Waits for the first arm, records it and drops the others.
    pub async fn first(&self, arms: &mut [&mut dyn Runner]) -> usize {
        let winner = match self.winner {
            Some(winner) => {
                poll_fn(|cx| arms[winner].advance(cx)).await;
                self.operation.close(&self.inside);
                // Finished steps in the others register their undo bodies. Nothing begins there. They may get further
                // than in the first run, which did not panic, so a panic is ignored.
                poll_fn(|cx| {
                    for (index, arm) in arms.iter_mut().enumerate() {
                        if index != winner {
                            let _ = panic::catch(|| arm.advance(cx));
                        }
                    }
                    Poll::Ready(())
                })
                .await;
                winner
            }
            None => {
                let winner = poll_fn(|cx| {
                    let ready = arms.iter_mut().position(|arm| arm.advance(cx).is_ready());
                    ready.map_or(Poll::Pending, Poll::Ready)
                })
                .await;
                self.operation.close(&self.inside);
                let name = serde_json::Value::from(self.arms[winner]);
                self.operation.succeed(Payload::json(name.to_string()), "");
                self.operation.durable().await;
                winner
            }
        };
        for (index, arm) in arms.iter_mut().enumerate() {
            if index != winner {
                arm.abandon();
            }
        }
        winner
    }
}

/// Future of an arm, and its output.
pub struct Arm<F: Future> {
    future: Option<Pin<Box<F>>>,
    output: Option<F::Output>,
}

/// Creates an arm that waits for `future`.
pub fn arm<F: Future>(future: F) -> Arm<F> {
    Arm {
        future: Some(Box::pin(future)),
        output: None,
    }
}

impl<F: Future> Arm<F> {
    /// Returns the output of the winner.
    pub async fn output(&mut self) -> F::Output {
        match self.output.take() {
            Some(output) => output,
            // Called only for the winner, which has one.
            None => std::future::pending().await,
        }
    }
}

/// Arm with any type of future.
pub trait Runner: Send {
    /// Polls the arm. Ready when its future has completed.
    fn advance(&mut self, cx: &mut TaskContext<'_>) -> Poll<()>;

    /// Drops the future of the arm.
    fn abandon(&mut self);
}

impl<F> Runner for Arm<F>
where
    F: Future + Send,
    F::Output: Send,
{
    fn advance(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if self.output.is_some() {
            return Poll::Ready(());
        }
        let Some(future) = &mut self.future else {
            return Poll::Pending;
        };
        match future.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(output) => {
                self.output = Some(output);
                self.future = None;
                Poll::Ready(())
            }
        }
    }

    fn abandon(&mut self) {
        self.future = None;
    }
}
