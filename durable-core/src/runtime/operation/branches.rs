//! `map!` and `parallel!`: run many bodies concurrently, each in its own scope, all polled in place.

use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use futures_util::stream::{FuturesUnordered, Stream};

use super::batch::{FullResult, Recorded, Summary};
use super::bound_codec::BoundCodec;
use super::complete::{BatchResult, BranchOutcome, Complete, Reason};
use crate::BoxFuture;
use crate::engine::{OpIndex, Outcome, Unreadable};
use crate::model::codec::{Codec, Json};
use crate::model::error::{ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::model::site::Site;
use crate::runtime::context::Context;
use crate::runtime::registered::{Answer, Operation};

/// Options of a `map!` or `parallel!`.
#[derive(Debug, Clone, Copy, Default)]
pub struct BatchOptions {
    concurrency: Option<usize>,
    complete: Complete,
    flat: bool,
    undoes: bool,
}

/// Creates default options: all branches at once, each to its end.
pub fn batch_options() -> BatchOptions {
    BatchOptions::default()
}

impl BatchOptions {
    /// Limits how many branches run at once. A suspended branch counts.
    #[must_use]
    pub fn concurrency(mut self, branches: usize) -> Self {
        self.concurrency = Some(branches);
        self
    }

    /// Sets the completion policy.
    #[must_use]
    pub fn complete(mut self, complete: Complete) -> Self {
        self.complete = complete;
        self
    }

    /// Records the operations of the branches directly under the `map!` or `parallel!`.
    #[must_use]
    pub fn flat(mut self) -> Self {
        self.flat = true;
        self
    }

    /// Sets whether a step in a branch may have an undo body. The branches are then entered on every replay.
    #[must_use]
    pub fn undoes(mut self, undoes: bool) -> Self {
        self.undoes = undoes;
        self
    }

    fn fault(&self) -> Option<&'static str> {
        match self.concurrency {
            Some(0) => Some("`concurrency` must be at least 1"),
            _ => self.complete.fault(),
        }
    }
}

/// Running `map!` or `parallel!`.
pub struct Branches<'a> {
    operation: Operation<'a>,
    inside: Context,
    options: BatchOptions,
    /// Its record, if it has ended.
    finished: Option<Recorded>,
    /// The registered branches, in the order of the items.
    registered: Mutex<Vec<OpIndex>>,
}

/// Starts a `map!` or `parallel!`.
pub async fn start_branches(operation: Operation<'_>, options: BatchOptions) -> Branches<'_> {
    if let Some(fault) = options.fault() {
        end_execution(&operation, ErrorKind::Failed, fault).await
    }
    let finished = match operation.decide().await {
        Answer::Run => {
            operation.enter();
            None
        }
        Answer::Recorded(outcome) => {
            let recorded = match outcome {
                Outcome::Value(payload) => Recorded::read(payload),
                _ => None,
            };
            if matches!(recorded, Some(Recorded::Summary(_))) {
                operation.lock().engine.shows_children(operation.op);
            }
            let read = recorded.ok_or_else(|| {
                let (expected, fault) = ("a summary of the branches", "it is not a summary");
                Unreadable::outline("summary", expected, fault, "restore the call site")
            });
            Some(operation.readable(read).await)
        }
    };
    let inside = operation.child();
    Branches {
        operation,
        inside,
        options,
        finished,
        registered: Mutex::default(),
    }
}

impl Branches<'_> {
    /// Registers the branch for the next item, by its number.
    pub fn ordered(&self, site: &'static Site) -> Operation<'_> {
        let number = self.registered().len();
        self.add(self.inside.register(site), &number.to_string())
    }

    /// Registers the branch with this name or key.
    pub fn keyed(&self, site: &'static Site, key: &str) -> Operation<'_> {
        self.add(self.inside.register_keyed(site, key.to_owned()), key)
    }

    fn add<'b>(&self, operation: Operation<'b>, name: &str) -> Operation<'b> {
        let mut state = operation.lock();
        if self.options.flat {
            state.engine.leave_no_record(operation.op);
        }
        if let Some(Recorded::FullResult(result)) = &self.finished
            && let Some(Some(outcome)) = result.branches.get(name)
        {
            state.engine.answer_with(operation.op, outcome.clone());
        }
        drop(state);
        self.registered().push(operation.op);
        operation
    }

    fn registered(&self) -> std::sync::MutexGuard<'_, Vec<OpIndex>> {
        self.registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the branches until they are complete.
    pub async fn run<T, F>(&self, branches: Vec<(String, F)>) -> BatchResult<T>
    where
        F: Future<Output = Result<T, OperationError>>,
    {
        self.finish::<T, F, Json>(branches, None).await
    }

    /// Runs the branches until they are complete, with a codec for the result.
    pub async fn run_encoded<T, F, C>(
        &self,
        branches: Vec<(String, F)>,
        codec: ResultCodec<T, C>,
    ) -> BatchResult<T>
    where
        F: Future<Output = Result<T, OperationError>>,
    {
        self.finish(branches, Some(codec.0)).await
    }

    async fn finish<T, F, C>(
        &self,
        branches: Vec<(String, F)>,
        codec: Option<BoundCodec<BatchResult<T>, C>>,
    ) -> BatchResult<T>
    where
        F: Future<Output = Result<T, OperationError>>,
    {
        let mut outcomes: Vec<BranchOutcome<T>> = Vec::with_capacity(branches.len());
        outcomes.resize_with(branches.len(), || BranchOutcome::NotStarted);
        let mut names = Vec::new();
        let reason = match &self.finished {
            Some(Recorded::Encoded(payload)) => {
                self.operation.close(&self.inside);
                return self.decode(codec.as_ref(), payload.clone()).await;
            }
            Some(Recorded::Summary(summary)) => {
                self.replay_summary(summary, branches, &mut outcomes).await;
                summary.reason
            }
            Some(Recorded::FullResult(result)) => {
                self.replay_full_result(result, branches, &mut outcomes)
                    .await;
                result.reason
            }
            None => {
                names.extend(branches.iter().map(|(name, _)| name.clone()));
                self.run_live(branches, &mut outcomes).await
            }
        };
        let result = BatchResult::new(outcomes, reason);
        let encoded = match codec.as_ref().map(|codec| codec.encode(&result)) {
            None => None,
            Some(Ok(encoded)) => Some(encoded),
            Some(Err(failure)) => {
                let error = self.operation.describe(failure, 0);
                return self.end_with(error).await;
            }
        };
        if self.finished.is_none() {
            let payload = self.payload(&names, &result, encoded.as_ref());
            self.operation.succeed(payload, "");
            self.operation.durable().await;
        }
        match encoded {
            None => result,
            // Decoded on the first run, too, so that it equals a replayed result.
            Some(encoded) => self.decode(codec.as_ref(), encoded).await,
        }
    }

    async fn decode<T, C>(
        &self,
        codec: Option<&BoundCodec<BatchResult<T>, C>>,
        payload: Payload,
    ) -> BatchResult<T> {
        let read = match codec {
            Some(codec) => codec.read_part("result", &payload),
            None => {
                let codec = &payload.codec;
                let fault = format!("the codec `{codec}` wrote it, but there is no `result_codec`");
                let remedy = format!("use the `result_codec` named `{codec}` again");
                let expected = "a summary of the branches";
                Err(Unreadable::outline("result", expected, fault, remedy))
            }
        };
        self.operation.readable(read).await
    }

    /// Ends the execution with an error, because a `map!` cannot return one.
    async fn end_with<R>(&self, error: OperationError) -> R {
        self.operation.cx.end_execution(error);
        std::future::pending().await
    }

    /// Returns the payload to record: the encoded result, the full result or a summary.
    fn payload<T>(
        &self,
        names: &[String],
        result: &BatchResult<T>,
        encoded: Option<&Payload>,
    ) -> Payload {
        let state = self.operation.lock();
        let keeps_children = state.engine.limits().keeps_children;
        let rebuilt = self.options.undoes || state.engine.is_vacated(self.operation.op);
        let fits = |payload: &Payload| state.engine.has_room(payload) && !rebuilt;
        let full_result = || {
            let registered = self.registered();
            let values = registered.iter().map(|op| state.engine.value(*op));
            let outcomes = names.iter().zip(&result.branches).zip(values);
            let branches = outcomes.map(|((name, outcome), value)| (&**name, outcome, value));
            FullResult::encode(result.reason, branches)
        };
        let preferred = match encoded {
            Some(encoded) => Some(encoded.clone()),
            None if keeps_children => None,
            None => full_result(),
        };
        preferred
            .filter(fits)
            .unwrap_or_else(|| self.summary(names, result).encode())
    }

    fn summary<T>(&self, names: &[String], result: &BatchResult<T>) -> Summary {
        let (mut ended, mut abandoned) = (HashSet::new(), HashSet::new());
        // If all branches have ended, their records say so.
        if self.options.flat || result.reason != Reason::AllCompleted {
            for (name, outcome) in names.iter().zip(&result.branches) {
                match outcome {
                    BranchOutcome::Succeeded(_) | BranchOutcome::Failed(_) => &mut ended,
                    BranchOutcome::Abandoned => &mut abandoned,
                    BranchOutcome::NotStarted => continue,
                }
                .insert(name.clone());
            }
        }
        Summary {
            reason: result.reason,
            ended,
            abandoned,
        }
    }

    /// Takes the outcome of every branch from a full result.
    async fn replay_full_result<T, F>(
        &self,
        result: &FullResult,
        branches: Vec<(String, F)>,
        outcomes: &mut [BranchOutcome<T>],
    ) where
        F: Future<Output = Result<T, OperationError>>,
    {
        for ((name, branch), outcome) in branches.into_iter().zip(outcomes) {
            match result.branches.get(&name) {
                Some(Some(_)) => *outcome = settled(branch.await),
                Some(None) => *outcome = BranchOutcome::Abandoned,
                None => {}
            }
        }
        self.operation.close(&self.inside);
    }

    /// Replays the branches that had ended, as the summary says. The completion policy is not evaluated again.
    async fn replay_summary<T, F>(
        &self,
        summary: &Summary,
        branches: Vec<(String, F)>,
        outcomes: &mut [BranchOutcome<T>],
    ) where
        F: Future<Output = Result<T, OperationError>>,
    {
        let listed = self.options.flat || !summary.ended.is_empty();
        let registered = self.registered().clone();
        let mut unfinished = Vec::new();
        for (index, ((name, branch), op)) in branches.into_iter().zip(registered).enumerate() {
            let ended = match listed {
                true => summary.ended.contains(&name),
                false => self.operation.lock().engine.is_settled(op),
            };
            if ended {
                outcomes[index] = settled(branch.await);
            } else {
                if summary.abandoned.contains(&name) {
                    outcomes[index] = BranchOutcome::Abandoned;
                }
                unfinished.push(branch);
            }
        }
        self.operation.close(&self.inside);
        // Finished steps in the others register their undo bodies. Nothing begins there.
        for branch in unfinished {
            let mut branch = pin!(branch);
            poll_fn(|cx| {
                let _ = branch.as_mut().poll(cx);
                Poll::Ready(())
            })
            .await;
        }
    }

    /// Runs the branches and evaluates the completion policy.
    async fn run_live<T, F>(
        &self,
        branches: Vec<(String, F)>,
        outcomes: &mut [BranchOutcome<T>],
    ) -> Reason
    where
        F: Future<Output = Result<T, OperationError>>,
    {
        let total = branches.len();
        let max = self.options.concurrency.unwrap_or(usize::MAX);
        let mut waiting: VecDeque<_> = branches.into_iter().enumerate().collect();
        let mut running = FuturesUnordered::new();
        let (mut succeeded, mut failed) = (0, 0);
        loop {
            if let Some(reason) = self.options.complete.check(succeeded, failed, total) {
                self.operation.close(&self.inside);
                return reason;
            }
            while running.len() < max
                && let Some((index, (_, branch))) = waiting.pop_front()
            {
                outcomes[index] = BranchOutcome::Abandoned;
                running.push(async move { (index, branch.await) });
            }
            let next = poll_fn(|cx| pin!(&mut running).poll_next(cx)).await;
            let Some((index, outcome)) = next else {
                // All branches have ended, but the policy did not complete.
                return Reason::AllCompleted;
            };
            match outcome {
                Ok(_) => succeeded += 1,
                Err(_) => failed += 1,
            }
            outcomes[index] = settled(outcome);
        }
    }
}

fn settled<T>(outcome: Result<T, OperationError>) -> BranchOutcome<T> {
    match outcome {
        Ok(value) => BranchOutcome::Succeeded(value),
        Err(error) => BranchOutcome::Failed(error),
    }
}

/// Ends the execution with an error, because a `map!` cannot return one.
async fn end_execution<R>(operation: &Operation<'_>, kind: ErrorKind, fault: &str) -> R {
    let path = operation.lock().engine.path(operation.op);
    let error = OperationError::new(path, kind, fault);
    operation.cx.end_execution(error);
    std::future::pending().await
}

/// Codec for the result of a `map!` or `parallel!`.
pub struct ResultCodec<T, C>(BoundCodec<BatchResult<T>, C>);

/// Creates a codec for the result. Only this function requires `Codec<BatchResult<T>>`.
pub fn result_codec<T, C: Codec<BatchResult<T>>>(codec: C) -> ResultCodec<T, C> {
    ResultCodec(BoundCodec::new(codec))
}

/// Collects the items of a `map!`.
pub fn items<T, I: IntoIterator<Item = T>>(items: I) -> Vec<T> {
    items.into_iter().collect()
}

/// Moves a value into the async block that calls this.
pub fn moved<T>(value: T) -> T {
    value
}

/// Creates a branch of a `parallel!`. Boxed, because each has its own type.
pub fn branch<'a, F: Future + Send + 'a>(
    name: &str,
    body: F,
) -> (String, BoxFuture<'a, F::Output>) {
    (name.to_owned(), Box::pin(body))
}
