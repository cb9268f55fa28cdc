//! `map!` and `parallel!`: many bodies, each in a scope of its own, all polled in place.

use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::pin::pin;

use futures_util::stream::{FuturesUnordered, Stream};

use super::complete::{BatchResult, BranchOutcome, Complete, Reason};
use crate::BoxFuture;
use crate::context::{Answer, Claim, Context};
use crate::engine::Outcome;
use crate::error::{ErrorKind, OperationError};
use crate::record::Payload;
use crate::site::Site;

/// How a `map!` or `parallel!` is run.
#[derive(Debug, Clone, Copy, Default)]
pub struct BatchOptions {
    concurrency: Option<usize>,
    complete: Complete,
    flat: bool,
}

/// All at once, to the end.
pub fn batch_options() -> BatchOptions {
    BatchOptions::default()
}

impl BatchOptions {
    /// At most this many branches at once. A suspended branch keeps its place.
    #[must_use]
    pub fn concurrency(mut self, branches: usize) -> Self {
        self.concurrency = Some(branches);
        self
    }

    /// When it is complete.
    #[must_use]
    pub fn complete(mut self, complete: Complete) -> Self {
        self.complete = complete;
        self
    }

    /// The operations of the branches stand directly under the whole.
    #[must_use]
    pub fn flat(mut self) -> Self {
        self.flat = true;
        self
    }

    fn fault(&self) -> Option<&'static str> {
        match self.concurrency {
            Some(0) => Some("`concurrency` must be at least 1"),
            _ => self.complete.fault(),
        }
    }
}

/// The scope of a `map!` or `parallel!` under way.
pub struct Fan<'a> {
    claim: Claim<'a>,
    inside: Context,
    options: BatchOptions,
    /// What a finished one recorded about itself.
    finished: Option<Summary>,
}

/// What is recorded of the whole: why it was complete, and, where the branches have no records of
/// their own, which of them had ended.
struct Summary {
    reason: Reason,
    ended: HashSet<String>,
}

/// The `map!` or `parallel!` that takes this place in the history.
pub async fn fan(claim: Claim<'_>, options: BatchOptions) -> Fan<'_> {
    if let Some(fault) = options.fault() {
        end_execution(&claim, ErrorKind::Failed, fault).await
    }
    let finished = match claim.decide().await {
        Answer::Run => {
            claim.enter();
            None
        }
        Answer::Recorded(Outcome::Value(payload)) => match Summary::decode(&payload) {
            Some(summary) => Some(summary),
            None => end_execution(&claim, ErrorKind::Codec, "its record does not decode").await,
        },
        Answer::Recorded(_) => {
            end_execution(&claim, ErrorKind::Codec, "its record holds no summary").await
        }
    };
    let inside = claim.child();
    Fan {
        claim,
        inside,
        options,
        finished,
    }
}

impl<'a> Fan<'a> {
    /// The place in the history of the branch for the next item in turn.
    pub fn turn(&self, site: &'static Site) -> Claim<'_> {
        self.place(self.inside.claim(site))
    }

    /// The place in the history of the branch with this name or key.
    pub fn keyed(&self, site: &'static Site, key: &str) -> Claim<'_> {
        self.place(self.inside.claim_keyed(site, key.to_owned()))
    }

    fn place<'b>(&self, claim: Claim<'b>) -> Claim<'b> {
        if self.options.flat {
            claim.lock().engine.leave_no_record(claim.op);
        }
        claim
    }

    /// Runs the branches until they are complete.
    pub async fn run<T, F>(&self, branches: Vec<(String, F)>) -> BatchResult<T>
    where
        F: Future<Output = Result<T, OperationError>>,
    {
        let total = branches.len();
        let mut outcomes: Vec<BranchOutcome<T>> = Vec::with_capacity(total);
        outcomes.resize_with(total, || BranchOutcome::NotStarted);
        let reason = match &self.finished {
            Some(summary) => {
                self.answer_again(summary, branches, &mut outcomes).await;
                summary.reason
            }
            None => {
                let (reason, ended) = self.run_live(branches, &mut outcomes).await;
                self.record(reason, ended).await;
                reason
            }
        };
        BatchResult {
            branches: outcomes,
            reason,
        }
    }

    /// Exactly those that had ended answer again; nothing is decided anew.
    async fn answer_again<T, F>(
        &self,
        summary: &Summary,
        branches: Vec<(String, F)>,
        outcomes: &mut [BranchOutcome<T>],
    ) where
        F: Future<Output = Result<T, OperationError>>,
    {
        let known;
        let ended = if self.options.flat {
            &summary.ended
        } else {
            known = self.claim.ended_branches();
            &known
        };
        for (index, (name, branch)) in branches.into_iter().enumerate() {
            if ended.contains(&name) {
                outcomes[index] = settled(branch.await);
            }
        }
        if self.options.flat {
            self.claim.close(&self.inside);
        }
    }

    async fn run_live<T, F>(
        &self,
        branches: Vec<(String, F)>,
        outcomes: &mut [BranchOutcome<T>],
    ) -> (Reason, Vec<String>)
    where
        F: Future<Output = Result<T, OperationError>>,
    {
        let total = branches.len();
        let most = self.options.concurrency.unwrap_or(usize::MAX);
        let mut waiting: VecDeque<_> = branches.into_iter().enumerate().collect();
        let mut running = FuturesUnordered::new();
        let mut ended = Vec::new();
        let (mut succeeded, mut failed) = (0, 0);
        loop {
            if let Some(reason) = self.options.complete.check(succeeded, failed, total) {
                self.claim.close(&self.inside);
                return (reason, ended);
            }
            while running.len() < most
                && let Some((index, (name, branch))) = waiting.pop_front()
            {
                outcomes[index] = BranchOutcome::Abandoned;
                running.push(async move { (index, name, branch.await) });
            }
            let next = poll_fn(|cx| pin!(&mut running).poll_next(cx)).await;
            let Some((index, name, outcome)) = next else {
                // All have ended and the policy did not say so: nothing more can come.
                return (Reason::AllCompleted, ended);
            };
            match outcome {
                Ok(_) => succeeded += 1,
                Err(_) => failed += 1,
            }
            outcomes[index] = settled(outcome);
            ended.push(name);
        }
    }

    async fn record(&self, reason: Reason, ended: Vec<String>) {
        let summary = Summary {
            reason,
            ended: if self.options.flat {
                ended.into_iter().collect()
            } else {
                HashSet::new()
            },
        };
        self.claim.succeed(summary.encode(), "");
        self.claim.written().await;
    }
}

fn settled<T>(outcome: Result<T, OperationError>) -> BranchOutcome<T> {
    match outcome {
        Ok(value) => BranchOutcome::Succeeded(value),
        Err(error) => BranchOutcome::Failed(error),
    }
}

/// There is no `Err` to report it with.
pub(super) async fn end_execution<R>(claim: &Claim<'_>, kind: ErrorKind, fault: &str) -> R {
    let path = claim.lock().engine.path(claim.op);
    let error = OperationError::new(path, kind, fault);
    claim.cx.end_execution(error);
    std::future::pending().await
}

impl Summary {
    fn encode(&self) -> Payload {
        let mut ended: Vec<&String> = self.ended.iter().collect();
        ended.sort();
        let value = serde_json::json!({ "reason": self.reason.as_str(), "ended": ended });
        Payload::json(value.to_string())
    }

    fn decode(payload: &Payload) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_slice(&payload.data).ok()?;
        let ended = value.get("ended")?.as_array()?.iter();
        Some(Self {
            reason: Reason::from_word(value.get("reason")?.as_str()?)?,
            ended: ended
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
        })
    }
}

/// Puts what is mapped over into a list.
pub fn items<I: IntoIterator>(items: I) -> Vec<I::Item> {
    items.into_iter().collect()
}

/// The same, taken over whole by the async block that calls this.
pub fn moved<T>(value: T) -> T {
    value
}

/// One branch of a `parallel!`, in a box, since each is of a type of its own.
pub fn branch<'a, F: Future + Send + 'a>(
    name: &str,
    body: F,
) -> (String, BoxFuture<'a, F::Output>) {
    (name.to_owned(), Box::pin(body))
}
