//! `map!` and `parallel!`: many bodies, each in a scope of its own, all polled in place.

use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

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

/// What is recorded of the whole: why it was complete, and, where the records of the branches do not
/// say it, what had become of them by then.
struct Summary {
    reason: Reason,
    ended: HashSet<String>,
    /// Which of them had begun without ending.
    abandoned: HashSet<String>,
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
                let names: Vec<String> = branches.iter().map(|(name, _)| name.clone()).collect();
                let reason = self.run_live(branches, &mut outcomes).await;
                self.record(reason, names, &outcomes).await;
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
        let ended = if self.options.flat || !summary.ended.is_empty() {
            &summary.ended
        } else {
            known = self.claim.ended_branches();
            &known
        };
        let mut given_up = Vec::new();
        for (index, (name, branch)) in branches.into_iter().enumerate() {
            if ended.contains(&name) {
                outcomes[index] = settled(branch.await);
            } else {
                if summary.abandoned.contains(&name) {
                    outcomes[index] = BranchOutcome::Abandoned;
                }
                given_up.push(branch);
            }
        }
        self.claim.close(&self.inside);
        // What has finished in the others registers its undo bodies; nothing begins there.
        for branch in given_up {
            let mut branch = pin!(branch);
            poll_fn(|cx| {
                let _ = branch.as_mut().poll(cx);
                Poll::Ready(())
            })
            .await;
        }
    }

    async fn run_live<T, F>(
        &self,
        branches: Vec<(String, F)>,
        outcomes: &mut [BranchOutcome<T>],
    ) -> Reason
    where
        F: Future<Output = Result<T, OperationError>>,
    {
        let total = branches.len();
        let most = self.options.concurrency.unwrap_or(usize::MAX);
        let mut waiting: VecDeque<_> = branches.into_iter().enumerate().collect();
        let mut running = FuturesUnordered::new();
        let (mut succeeded, mut failed) = (0, 0);
        loop {
            if let Some(reason) = self.options.complete.check(succeeded, failed, total) {
                self.claim.close(&self.inside);
                return reason;
            }
            while running.len() < most
                && let Some((index, (_, branch))) = waiting.pop_front()
            {
                outcomes[index] = BranchOutcome::Abandoned;
                running.push(async move { (index, branch.await) });
            }
            let next = poll_fn(|cx| pin!(&mut running).poll_next(cx)).await;
            let Some((index, outcome)) = next else {
                // All have ended and the policy did not say so: nothing more can come.
                return Reason::AllCompleted;
            };
            match outcome {
                Ok(_) => succeeded += 1,
                Err(_) => failed += 1,
            }
            outcomes[index] = settled(outcome);
        }
    }

    async fn record<T>(&self, reason: Reason, names: Vec<String>, outcomes: &[BranchOutcome<T>]) {
        let (mut ended, mut abandoned) = (HashSet::new(), HashSet::new());
        // Of those that are all over, their own records say it.
        if self.options.flat || reason != Reason::AllCompleted {
            for (name, outcome) in names.into_iter().zip(outcomes) {
                match outcome {
                    BranchOutcome::Succeeded(_) | BranchOutcome::Failed(_) => ended.insert(name),
                    BranchOutcome::Abandoned => abandoned.insert(name),
                    BranchOutcome::NotStarted => continue,
                };
            }
        }
        let summary = Summary {
            reason,
            ended,
            abandoned,
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
        let sorted = |names: &HashSet<String>| {
            let mut names: Vec<String> = names.iter().cloned().collect();
            names.sort();
            names
        };
        let value = serde_json::json!({
            "reason": self.reason.as_str(),
            "ended": sorted(&self.ended),
            "abandoned": sorted(&self.abandoned),
        });
        Payload::json(value.to_string())
    }

    fn decode(payload: &Payload) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_slice(&payload.data).ok()?;
        let names = |field: &str| {
            let names = value.get(field).and_then(|names| names.as_array());
            let names = names.into_iter().flatten();
            names
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect()
        };
        Some(Self {
            reason: Reason::from_word(value.get("reason")?.as_str()?)?,
            ended: names("ended"),
            abandoned: names("abandoned"),
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
