//! `race!`: the first of several futures, recorded before anything follows from it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use crate::engine::{Outcome, Unreadable};
use crate::model::payload::Payload;
use crate::runtime::context::Context;
use crate::runtime::panic;
use crate::runtime::registered::{Answer, Operation};

/// A race under way.
pub struct Race<'a> {
    operation: Operation<'a>,
    inside: Context,
    arms: &'static [&'static str],
    winner: Option<usize>,
}

/// The race that takes this place in the history, between arms of these names.
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

/// The arm that has won, as its record says.
fn recorded_winner(outcome: Outcome, arms: &[&str]) -> Result<usize, Unreadable> {
    let quoted: Vec<String> = arms.iter().map(|arm| format!("`{arm}`")).collect();
    let wanted = format!("one of the arms {}", quoted.join(", "));
    let name: Option<String> = match outcome {
        Outcome::Value(payload) => serde_json::from_slice(&payload.data).ok(),
        _ => None,
    };
    let Some(name) = name else {
        let (fault, remedy) = ("it names no arm", "let the call site be what it was");
        return Err(Unreadable::outline("winner", wanted, fault, remedy));
    };
    let index = arms.iter().position(|arm| *arm == name);
    index.ok_or_else(|| {
        let fault = format!("the arm `{name}` has won, and there is no arm of that name");
        let remedy = format!("give the arm the name `{name}` back");
        Unreadable::outline("winner", wanted, fault, remedy)
    })
}

impl Race<'_> {
    /// The context of what the arms wait for.
    pub fn inside(&self) -> &Context {
        &self.inside
    }

    /// Waits for the first arm, records it, and lets go of the others.
    pub async fn first(&self, arms: &mut [&mut dyn Runner]) -> usize {
        let winner = match self.winner {
            Some(winner) => {
                poll_fn(|cx| arms[winner].advance(cx)).await;
                self.operation.close(&self.inside);
                // What has finished in the others registers its undo bodies; nothing begins there. They may get further
                // than they did before the race was decided: a panic there is none of the first run.
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
                arm.give_up();
            }
        }
        winner
    }
}

/// What an arm waits for.
pub struct Arm<F: Future> {
    future: Option<Pin<Box<F>>>,
    output: Option<F::Output>,
}

/// An arm that waits for `future`.
pub fn arm<F: Future>(future: F) -> Arm<F> {
    Arm {
        future: Some(Box::pin(future)),
        output: None,
    }
}

impl<F: Future> Arm<F> {
    /// What the winner waited for.
    pub async fn output(&mut self) -> F::Output {
        match self.output.take() {
            Some(output) => output,
            // Only the winner is asked, and it has one.
            None => std::future::pending().await,
        }
    }
}

/// An arm, whatever it waits for.
pub trait Runner: Send {
    /// Polls what the arm waits for; ready once it has come.
    fn advance(&mut self, cx: &mut TaskContext<'_>) -> Poll<()>;

    /// Drops what the arm waits for.
    fn give_up(&mut self);
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

    fn give_up(&mut self) {
        self.future = None;
    }
}
