//! `map!` and `parallel!`: many bodies, each in a scope of its own, all polled in place.

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

/// How a `map!` or `parallel!` is run.
#[derive(Debug, Clone, Copy, Default)]
pub struct BatchOptions {
    concurrency: Option<usize>,
    complete: Complete,
    flat: bool,
    undoes: bool,
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

    /// Whether a step in a branch may be taken back, so that the branches are entered on every replay.
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

/// The scope of a `map!` or `parallel!` under way.
pub struct Branches<'a> {
    operation: Operation<'a>,
    inside: Context,
    options: BatchOptions,
    /// What a finished one recorded about itself.
    finished: Option<Recorded>,
    /// The branches, in the order of the items.
    placed: Mutex<Vec<OpIndex>>,
}

/// The `map!` or `parallel!` that takes this place in the history.
pub async fn fan(operation: Operation<'_>, options: BatchOptions) -> Branches<'_> {
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
                operation.lock().engine.shows_inside(operation.op);
            }
            let read = recorded.ok_or_else(|| {
                let (wanted, fault) = ("a summary of the branches", "it is no such summary");
                Unreadable::outline("summary", wanted, fault, "let the call site be what it was")
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
        placed: Mutex::default(),
    }
}

impl Branches<'_> {
    /// The place in the history of the branch for the next item in turn.
    pub fn turn(&self, site: &'static Site) -> Operation<'_> {
        let turn = self.placed().len();
        self.place(self.inside.register(site), &turn.to_string())
    }

    /// The place in the history of the branch with this name or key.
    pub fn keyed(&self, site: &'static Site, key: &str) -> Operation<'_> {
        self.place(self.inside.register_keyed(site, key.to_owned()), key)
    }

    fn place<'b>(&self, operation: Operation<'b>, name: &str) -> Operation<'b> {
        let mut state = operation.lock();
        if self.options.flat {
            state.engine.leave_no_record(operation.op);
        }
        if let Some(Recorded::FullResult(whole)) = &self.finished
            && let Some(Some(outcome)) = whole.branches.get(name)
        {
            state.engine.answer_with(operation.op, outcome.clone());
        }
        drop(state);
        self.placed().push(operation.op);
        operation
    }

    fn placed(&self) -> std::sync::MutexGuard<'_, Vec<OpIndex>> {
        self.placed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the branches until they are complete.
    pub async fn run<T, F>(&self, branches: Vec<(String, F)>) -> BatchResult<T>
    where
        F: Future<Output = Result<T, OperationError>>,
    {
        self.finish::<T, F, Json>(branches, None).await
    }

    /// The same, with a codec for the whole result.
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
        coder: Option<BoundCodec<BatchResult<T>, C>>,
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
                return self.decode(coder.as_ref(), payload.clone()).await;
            }
            Some(Recorded::Summary(summary)) => {
                self.answer_again(summary, branches, &mut outcomes).await;
                summary.reason
            }
            Some(Recorded::FullResult(whole)) => {
                self.answer_from(whole, branches, &mut outcomes).await;
                whole.reason
            }
            None => {
                names.extend(branches.iter().map(|(name, _)| name.clone()));
                self.run_live(branches, &mut outcomes).await
            }
        };
        let result = BatchResult::new(outcomes, reason);
        let encoded = match coder.as_ref().map(|coder| coder.encode(&result)) {
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
            // What the codec makes of it comes back, on the first run as on every replay.
            Some(encoded) => self.decode(coder.as_ref(), encoded).await,
        }
    }

    async fn decode<T, C>(
        &self,
        coder: Option<&BoundCodec<BatchResult<T>, C>>,
        payload: Payload,
    ) -> BatchResult<T> {
        let read = match coder {
            Some(coder) => coder.read_part("result", &payload),
            None => {
                let codec = &payload.codec;
                let fault = format!("the codec `{codec}` wrote it, and no `result_codec` is given");
                let remedy = format!("give the `result_codec` that is called `{codec}` back");
                let wanted = "a summary of the branches";
                Err(Unreadable::outline("result", wanted, fault, remedy))
            }
        };
        self.operation.readable(read).await
    }

    /// There is no `Err` to report it with.
    async fn end_with<R>(&self, error: OperationError) -> R {
        self.operation.cx.end_execution(error);
        std::future::pending().await
    }

    /// What is recorded of the whole.
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
        let whole = || {
            let placed = self.placed();
            let values = placed.iter().map(|op| state.engine.value(*op));
            let outcomes = names.iter().zip(&result.branches).zip(values);
            let branches = outcomes.map(|((name, outcome), value)| (&**name, outcome, value));
            FullResult::encode(result.reason, branches)
        };
        let wanted = match encoded {
            Some(encoded) => Some(encoded.clone()),
            None if keeps_children => None,
            None => whole(),
        };
        wanted
            .filter(fits)
            .unwrap_or_else(|| self.summary(names, result).encode())
    }

    fn summary<T>(&self, names: &[String], result: &BatchResult<T>) -> Summary {
        let (mut ended, mut abandoned) = (HashSet::new(), HashSet::new());
        // Of those that are all over, their own records say it.
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

    /// Every branch that had ended answers with what the whole has recorded of it.
    async fn answer_from<T, F>(
        &self,
        whole: &FullResult,
        branches: Vec<(String, F)>,
        outcomes: &mut [BranchOutcome<T>],
    ) where
        F: Future<Output = Result<T, OperationError>>,
    {
        for ((name, branch), outcome) in branches.into_iter().zip(outcomes) {
            match whole.branches.get(&name) {
                Some(Some(_)) => *outcome = settled(branch.await),
                Some(None) => *outcome = BranchOutcome::Abandoned,
                None => {}
            }
        }
        self.operation.close(&self.inside);
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
        let listed = self.options.flat || !summary.ended.is_empty();
        let placed = self.placed().clone();
        let mut given_up = Vec::new();
        for (index, ((name, branch), op)) in branches.into_iter().zip(placed).enumerate() {
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
                given_up.push(branch);
            }
        }
        self.operation.close(&self.inside);
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
                self.operation.close(&self.inside);
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
}

fn settled<T>(outcome: Result<T, OperationError>) -> BranchOutcome<T> {
    match outcome {
        Ok(value) => BranchOutcome::Succeeded(value),
        Err(error) => BranchOutcome::Failed(error),
    }
}

/// There is no `Err` to report it with.
async fn end_execution<R>(operation: &Operation<'_>, kind: ErrorKind, fault: &str) -> R {
    let path = operation.lock().engine.path(operation.op);
    let error = OperationError::new(path, kind, fault);
    operation.cx.end_execution(error);
    std::future::pending().await
}

/// A codec for the whole result.
pub struct ResultCodec<T, C>(BoundCodec<BatchResult<T>, C>);

/// The one place that asks the whole result for a codec.
pub fn result_codec<T, C: Codec<BatchResult<T>>>(codec: C) -> ResultCodec<T, C> {
    ResultCodec(BoundCodec::new(codec))
}

/// Puts what is mapped over into a list.
pub fn items<T, I: IntoIterator<Item = T>>(items: I) -> Vec<T> {
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
