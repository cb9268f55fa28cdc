//! `batches!`: many items in order, as many per step as fit a time target.

use std::time::Duration;

use super::attempt::{Attempt, attempt, settle_failure};
use super::bound_codec::BoundCodec;
use super::{Options, StepInfo};
use crate::model::codec::Codec;
use crate::model::error::StepError;
use crate::model::fingerprint::Input;
use crate::model::site::Site;
use crate::runtime::context::Context;
use crate::runtime::registered::{Answer, Operation};

/// Items of the first batch: few, as nothing is known about what one costs.
const FIRST: u64 = 10;
/// A batch is at most this many times as large as the one before.
const GROWTH: u64 = 10;
/// How long a batch is to take when nobody says.
const TARGET: Duration = Duration::from_secs(10);

/// How large batches may become.
#[derive(Debug, Clone, Copy)]
pub struct BatchSize {
    target: Duration,
    max: u64,
}

/// Batches that are to take ten seconds, of any size.
pub fn batch_size() -> BatchSize {
    BatchSize {
        target: TARGET,
        max: u64::MAX,
    }
}

impl BatchSize {
    /// How long a batch is to take.
    #[must_use]
    pub fn target(mut self, target: Duration) -> Self {
        self.target = target;
        self
    }

    /// At most this many items; zero counts as one.
    #[must_use]
    pub fn max(mut self, items: usize) -> Self {
        self.max = (items as u64).max(1);
        self
    }

    /// The size of the batch after one of `size` items that took `took`.
    fn next(self, size: u64, took: Duration) -> u64 {
        let most = size.saturating_mul(GROWTH);
        let millis = took.as_millis().max(1);
        let fitting = u128::from(size) * self.target.as_millis() / millis;
        let fitting = u64::try_from(fitting).unwrap_or(u64::MAX);
        fitting.clamp(1, most).min(self.max)
    }
}

type WithBatch<'a, I> = Box<dyn Fn(&'a [I]) -> Input + Send + 'a>;

/// Batches under way.
pub struct BatchesOp<'a, I, T, C> {
    cx: &'a Context,
    site: &'static Site,
    items: &'a [I],
    size: BatchSize,
    coder: BoundCodec<T, C>,
    /// What the body of a batch is called with, where the call site says so.
    with: Option<WithBatch<'a, I>>,
    /// The batch under way: its place in the history, its first item and the one after its last.
    current: Option<(Operation<'a>, u64, u64)>,
    next_size: u64,
    done: u64,
    values: Vec<T>,
    error: Option<StepError>,
}

/// The batches over `items` that take their places in the history from here on.
pub fn batches<'a, I, T, C: Codec<T>>(
    cx: &'a Context,
    site: &'static Site,
    items: &'a [I],
    size: BatchSize,
    codec: C,
) -> BatchesOp<'a, I, T, C> {
    let size = BatchSize {
        target: cx.share_of_budget(size.target),
        ..size
    };
    BatchesOp {
        cx,
        site,
        items,
        size,
        coder: BoundCodec::new(codec),
        with: None,
        current: None,
        next_size: FIRST.min(size.max),
        done: 0,
        values: Vec::new(),
        error: None,
    }
}

impl<'a, I, T, C> BatchesOp<'a, I, T, C> {
    /// What the body of each batch is called with.
    #[must_use]
    pub fn with(mut self, input: impl Fn(&'a [I]) -> Input + Send + 'a) -> Self {
        self.with = Some(Box::new(input));
        self
    }

    /// Waits until every batch has ended, one has failed, or the next may run.
    pub async fn next(&mut self) -> Option<StepInfo> {
        loop {
            let total = self.items.len() as u64;
            if self.current.is_none() {
                if self.done >= total {
                    return None;
                }
                self.claim_next(total);
            }
            let Some((operation, start, end)) = &self.current else {
                continue;
            };
            let outcome = match operation.decide().await {
                Answer::Run => {
                    let attempt = operation.lock().engine.next_attempt(operation.op);
                    return Some(StepInfo::new(operation, attempt));
                }
                Answer::Recorded(outcome) => outcome,
            };
            let read = self.coder.read(outcome);
            let value = match operation.readable(read).await {
                Ok(value) => value,
                Err(error) => {
                    self.error = Some(error);
                    return None;
                }
            };
            let (took, interruptions) = operation.lock().engine.took(operation.op);
            let size = end - start;
            // A batch that was cut off was halved: its successors do not grow at once.
            let grown = self.size.next(size, took);
            self.next_size = if interruptions > 0 {
                grown.min(size)
            } else {
                grown
            };
            self.done = *end;
            self.values.push(value);
            self.current = None;
        }
    }

    /// The values of the batches, or the error of the one that failed.
    pub fn done(self) -> Result<Vec<T>, StepError> {
        self.error.map_or(Ok(self.values), Err)
    }

    fn claim_next(&mut self, total: u64) {
        let start = self.done;
        let operation = self.cx.register_keyed(self.site, start.to_string());
        let mut state = operation.lock();
        let planned = start.saturating_add(self.next_size);
        let end = state
            .engine
            .batch_end(operation.op, start, planned)
            .min(total);
        state.engine.extend(operation.op, end);
        let name = self.site.name;
        state
            .engine
            .label(operation.op, || format!("{name}[{start}..{end}]"));
        if let Some(with) = &self.with {
            let input = with(&self.items[index(start)..index(end)]);
            state.engine.called_with(operation.op, &input);
        }
        drop(state);
        self.current = Some((operation, start, end));
    }

    /// The items of the batch that runs.
    pub fn batch(&self) -> &'a [I] {
        let bounds = self
            .current
            .as_ref()
            .map_or((0, 0), |(_, start, end)| (*start, *end));
        let items = self.items;
        &items[index(bounds.0)..index(bounds.1)]
    }

    /// Runs one attempt of the body in place.
    pub async fn run<F: Future>(&mut self, options: Options, body: F) -> Attempt<F::Output> {
        let Some((operation, ..)) = &self.current else {
            return std::future::pending().await;
        };
        let default = options.default_retry();
        attempt(operation, None, options, default, body).await
    }

    /// Records how the batch ended. Its value comes back through [`Self::next`].
    pub async fn record(&mut self, attempt: Attempt<T>) {
        let Some((operation, ..)) = &self.current else {
            return;
        };
        match attempt.outcome.and_then(|value| self.coder.encode(&value)) {
            Ok(payload) => operation.succeed(payload, std::any::type_name::<T>()),
            Err(failure) => settle_failure(operation, failure, &attempt.retry),
        }
    }
}

fn index(item: u64) -> usize {
    usize::try_from(item).unwrap_or(usize::MAX)
}
