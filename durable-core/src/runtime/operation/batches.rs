//! `batches!`: processes items in order, with as many per batch as fit a target duration.

use std::time::Duration;

use super::attempt::{Attempt, attempt, settle_failure};
use super::body::Body;
use super::bound_codec::BoundCodec;
use super::{Options, StepInfo};
use crate::metrics::AttemptOutcome;
use crate::model::codec::Codec;
use crate::model::error::StepError;
use crate::model::fingerprint::Input;
use crate::model::site::Site;
use crate::runtime::context::Context;
use crate::runtime::registered::{Answer, Operation};

/// Size of the first batch. Small, because the cost of an item is not known yet.
const FIRST_SIZE: u64 = 10;
/// Maximum ratio of the size of a batch to that of the one before.
const GROWTH: u64 = 10;
/// Default target duration of a batch.
const TARGET: Duration = Duration::from_secs(10);

/// Size policy of batches.
#[derive(Debug, Clone, Copy)]
pub struct BatchSize {
    target: Duration,
    max: u64,
}

/// Creates the default policy: a target of ten seconds, any size.
pub fn batch_size() -> BatchSize {
    BatchSize {
        target: TARGET,
        max: u64::MAX,
    }
}

impl BatchSize {
    /// Sets the target duration of a batch.
    #[must_use]
    pub fn target(mut self, target: Duration) -> Self {
        self.target = target;
        self
    }

    /// Limits the number of items in a batch. Zero counts as one.
    #[must_use]
    pub fn max(mut self, items: usize) -> Self {
        self.max = (items as u64).max(1);
        self
    }

    /// Returns the size of the batch after one of `size` items that took `took`.
    fn next(self, size: u64, took: Duration) -> u64 {
        let max = size.saturating_mul(GROWTH);
        let millis = took.as_millis().max(1);
        let fitting = u128::from(size) * self.target.as_millis() / millis;
        let fitting = u64::try_from(fitting).unwrap_or(u64::MAX);
        fitting.clamp(1, max).min(self.max)
    }
}

type WithBatch<'a, I> = Box<dyn Fn(&'a [I]) -> Input + Send + 'a>;

/// Running batches.
pub struct BatchesOp<'a, I, T, C> {
    cx: &'a Context,
    site: &'static Site,
    items: &'a [I],
    size: BatchSize,
    codec: BoundCodec<T, C>,
    /// Input of the body of a batch, if the call site has `with`.
    with: Option<WithBatch<'a, I>>,
    /// The running batch: its operation, its first item and the one after its last.
    current: Option<(Operation<'a>, u64, u64)>,
    next_size: u64,
    done: u64,
    values: Vec<T>,
    error: Option<StepError>,
}

/// Creates batches over `items`. They are registered one after the other.
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
        codec: BoundCodec::new(codec),
        with: None,
        current: None,
        next_size: FIRST_SIZE.min(size.max),
        done: 0,
        values: Vec::new(),
        error: None,
    }
}

impl<'a, I, T, C> BatchesOp<'a, I, T, C> {
    /// Sets the input of the body of each batch.
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
                self.register_next(total);
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
            let read = self.codec.read(outcome);
            let value = match operation.readable(read).await {
                Ok(value) => value,
                Err(error) => {
                    self.error = Some(error);
                    return None;
                }
            };
            let (took, interruptions) = operation
                .lock()
                .engine
                .duration_and_interruptions(operation.op);
            let size = end - start;
            // A batch that was interrupted was halved. The next one does not grow.
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

    /// Returns the values of the batches, or the error of the one that failed.
    pub fn done(self) -> Result<Vec<T>, StepError> {
        self.error.map_or(Ok(self.values), Err)
    }

    fn register_next(&mut self, total: u64) {
        let start = self.done;
        let operation = self.cx.register_keyed(self.site, start.to_string());
        let mut state = operation.lock();
        let planned = start.saturating_add(self.next_size);
        let end = state
            .engine
            .batch_end(operation.op, start, planned)
            .min(total);
        state.engine.set_extent(operation.op, end);
        let name = self.site.name;
        state
            .engine
            .label(operation.op, || format!("{name}[{start}..{end}]"));
        if let Some(with) = &self.with {
            let input = with(&self.items[index(start)..index(end)]);
            state.engine.check_input(operation.op, &input);
        }
        drop(state);
        self.current = Some((operation, start, end));
    }

    /// Returns the items of the running batch.
    pub fn batch(&self) -> &'a [I] {
        let bounds = self
            .current
            .as_ref()
            .map_or((0, 0), |(_, start, end)| (*start, *end));
        let items = self.items;
        &items[index(bounds.0)..index(bounds.1)]
    }

    /// Runs one attempt of the body in place.
    pub async fn run<R>(&mut self, options: Options, body: Body<'_, R>) -> Attempt<R> {
        let Some((operation, ..)) = &self.current else {
            return std::future::pending().await;
        };
        let default = Options::default_retry;
        attempt(operation, None, options, default, body).await
    }

    /// Records the result of the batch. [`Self::next`] reads its value.
    pub async fn record(&mut self, attempt: Attempt<T>) {
        let Some((operation, ..)) = &self.current else {
            return;
        };
        match attempt.outcome.and_then(|value| self.codec.encode(&value)) {
            Ok(payload) => {
                operation.attempt_ended(AttemptOutcome::Succeeded);
                operation.succeed(payload, std::any::type_name::<T>());
            }
            Err(failure) => settle_failure(operation, failure, &attempt.retry),
        }
    }
}

fn index(item: u64) -> usize {
    usize::try_from(item).unwrap_or(usize::MAX)
}
