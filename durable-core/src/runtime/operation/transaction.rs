//! `step!` with `tx`: runs a body in a transaction of the application's database, together with a row for its outcome.
//!
//! A failed attempt rolls back. Whether an attempt that was interrupted has committed is not known, so before a step
//! finally fails it inserts a row with its error. If the row of an earlier attempt exists, that one is the outcome. If not,
//! the row keeps an earlier attempt whose commit is still in flight from committing.
//!
//! The futures of drivers are boxed. They are large, and would otherwise become part of every future around the step.

use std::any::type_name;
use std::marker::PhantomData;
use std::time::Duration;

use super::Options;
use super::attempt::{Attempt, attempt, next_delay, settle_after};
use super::body::{Body, StepInfo, drive};
use super::bound_codec::BoundCodec;
use super::step::StepOp;
use crate::BoxFuture;
use crate::Retry;
use crate::metrics::AttemptOutcome;
use crate::model::error::ErrorKind;
use crate::model::payload::Payload;
use crate::runtime::failure::{Failure, IntoFailure};
use crate::runtime::registered::Operation;
use crate::transaction::{Key, RecordedOutcome, Transaction, TransactionError, Transactional};

/// Longest time between attempts to find out whether a step has committed.
const MAX_DELAY: Duration = Duration::from_secs(60);

/// Running step whose body runs in a transaction `X`.
///
/// Only [`transaction`] requires that the database is one. If every method did, a wrong type would be reported many times.
pub struct TransactionOp<'a, 'd, T, C, X> {
    step: StepOp<'a, T, C>,
    database: Box<dyn AnyDatabase<X> + 'd>,
    key: Key,
    progress: Progress,
}

/// [`Transactional`] as an object.
trait AnyDatabase<X>: Send + Sync {
    fn begin(&self) -> BoxFuture<'_, Result<X, TransactionError>>;
    fn find<'f>(
        &'f self,
        key: &'f Key,
    ) -> BoxFuture<'f, Result<Option<RecordedOutcome>, TransactionError>>;
    fn remove<'f>(&'f self, key: &'f Key) -> BoxFuture<'f, Result<(), TransactionError>>;
}

struct Database<'d, D, M>(&'d D, PhantomData<fn() -> M>);

impl<D: Transactional<M>, M> AnyDatabase<D::Transaction> for Database<'_, D, M> {
    fn begin(&self) -> BoxFuture<'_, Result<D::Transaction, TransactionError>> {
        Box::pin(self.0.begin())
    }

    fn find<'f>(
        &'f self,
        key: &'f Key,
    ) -> BoxFuture<'f, Result<Option<RecordedOutcome>, TransactionError>> {
        Box::pin(self.0.find(key))
    }

    fn remove<'f>(&'f self, key: &'f Key) -> BoxFuture<'f, Result<(), TransactionError>> {
        Box::pin(self.0.remove(key))
    }
}

/// What is known of the rows of a step.
struct Progress {
    /// Whether an earlier attempt may have committed.
    in_doubt: bool,
    /// Whether there is an outcome row.
    has_row: bool,
    /// Whether this invocation has committed the fence.
    fenced: bool,
}

/// Creates the step from one without a transaction.
pub fn transaction<'a, 'd, T, C, D, M: 'd>(
    step: StepOp<'a, T, C>,
    database: &'d D,
) -> TransactionOp<'a, 'd, T, C, D::Transaction>
where
    D: Transactional<M>,
{
    let operation = &step.operation;
    let (key, in_doubt) = {
        let engine = &mut operation.lock().engine;
        let (id, rerun) = engine.in_transaction(operation.op);
        let key = operation.shared().lineage.key(id, &rerun);
        (key, engine.may_have_committed(operation.op))
    };
    TransactionOp {
        step,
        database: Box::new(Database(database, PhantomData)),
        key,
        progress: Progress {
            in_doubt,
            has_row: false,
            fenced: false,
        },
    }
}

/// Runs the body of one attempt.
pub struct TransactionRunner<'w, 'a> {
    operation: &'w Operation<'a>,
    info: Option<&'w StepInfo>,
}

/// Work of one attempt around its body.
pub struct TransactionWork<'w, 'a, T, C, X> {
    operation: &'w Operation<'a>,
    codec: &'w BoundCodec<T, C>,
    database: &'w dyn AnyDatabase<X>,
    key: &'w Key,
    progress: &'w mut Progress,
}

/// Beginning of an attempt.
pub enum Begun<X> {
    /// The body runs in this transaction.
    Open(X),
    /// The attempt has ended without its body.
    Ended(Result<RecordedOutcome, Failure>),
}

/// Returns the handle that the body gets.
pub fn handle<X: Transaction>(transaction: &mut X) -> X::Handle<'_> {
    transaction.handle()
}

impl TransactionRunner<'_, '_> {
    /// Runs one attempt, with default options.
    pub fn run<R>(self, work: Body<'_, R>) -> impl Future<Output = Attempt<R>> {
        self.run_with(Options::default(), work)
    }

    /// Runs one attempt.
    pub fn run_with<R>(
        self,
        options: Options,
        work: Body<'_, R>,
    ) -> impl Future<Output = Attempt<R>> {
        let default = Options::default_retry;
        attempt(self.operation, self.info, options, default, work)
    }
}

impl<'a, T, C, X: Transaction> TransactionOp<'a, '_, T, C, X> {
    /// Waits until the body may run. Returns `None` if the step has ended instead.
    pub async fn next(&mut self) -> Option<StepInfo> {
        let info = self.step.next().await;
        if info.is_none() && self.progress.has_row && self.key.fence().is_some() {
            let removed = drive(&self.step.operation, Box::pin(self.remove())).await;
            if let Err(error) = removed {
                let (execution, operation) = (self.key.execution(), self.key.operation());
                tracing::warn!(execution, operation, %error, "the outcome row of a step was not removed");
            }
        }
        info
    }

    /// Splits the step for an attempt, so that its body may run while the rest is borrowed.
    pub fn split(&mut self) -> (TransactionRunner<'_, 'a>, TransactionWork<'_, 'a, T, C, X>) {
        let operation = &self.step.operation;
        let runner = TransactionRunner {
            operation,
            info: self.step.info.as_ref(),
        };
        let work = TransactionWork {
            operation,
            codec: &self.step.codec,
            database: &*self.database,
            key: &self.key,
            progress: &mut self.progress,
        };
        (runner, work)
    }

    /// Records the result of the attempt.
    pub async fn record(&mut self, attempt: Attempt<Result<RecordedOutcome, Failure>>) {
        let Attempt { outcome, retry } = attempt;
        match outcome.flatten() {
            Ok(recorded) => self.conclude(recorded),
            Err(failure) => self.fail(failure, &retry).await,
        }
    }

    /// Returns the step, which has ended.
    pub fn into_step(self) -> StepOp<'a, T, C> {
        self.step
    }

    fn conclude(&self, recorded: RecordedOutcome) {
        let operation = &self.step.operation;
        match recorded.outcome {
            Ok(payload) => {
                operation.attempt_ended(AttemptOutcome::Succeeded);
                operation.succeed(payload, type_name::<T>());
            }
            Err(error) => {
                operation.attempt_ended(AttemptOutcome::Failed);
                operation.fail_with(error);
            }
        }
    }

    /// Records a failed attempt. Before the step finally fails, makes sure that no attempt has committed or will.
    async fn fail(&mut self, failure: Failure, retry: &Retry) {
        let delay = next_delay(&self.step.operation, &failure, retry);
        if delay.is_some() || !self.progress.in_doubt {
            return settle_after(&self.step.operation, failure, delay);
        }
        let (attempts, error) = {
            let (op, engine) = (self.step.operation.op, &self.step.operation.lock().engine);
            let error = failure.to_record(engine.path(op), engine.attempt(op));
            (
                engine.attempt(op),
                error.shortened(engine.limits().max_error),
            )
        };
        let error = RecordedOutcome::error(error);
        let closing = Box::pin(close(&*self.database, &self.key, &error));
        match drive(&self.step.operation, closing).await {
            Ok(recorded) => {
                self.progress.has_row = true;
                self.conclude(recorded);
            }
            Err(unknown) if unknown.is_undecided() => {
                let (execution, operation) = (self.key.execution(), self.key.operation());
                tracing::warn!(execution, operation, error = %unknown, "whether a step has committed is not known yet, trying again");
                let delay = MAX_DELAY.min(Duration::from_secs(1 << attempts.min(6)));
                settle_after(&self.step.operation, failure, Some(delay));
            }
            Err(_) => settle_after(&self.step.operation, failure, None),
        }
    }

    /// Removes the outcome row. Raises the fence first, so that no process that has lost its lease commits afterwards.
    async fn remove(&self) -> Result<(), TransactionError> {
        if let Some(fence) = self.key.fence().filter(|_| !self.progress.fenced) {
            let mut transaction = self.database.begin().await?;
            if !transaction.raise_fence(&self.key, fence).await? {
                return transaction.roll_back().await;
            }
            transaction.commit().await?;
        }
        self.database.remove(&self.key).await
    }
}

impl<T, C, X: Transaction> TransactionWork<'_, '_, T, C, X> {
    /// Begins the transaction, unless the outcome row exists.
    pub async fn begin(&mut self) -> Begun<X> {
        match self.try_begin().await {
            Ok(begun) => begun,
            Err(error) => Begun::Ended(Err(error.into_failure())),
        }
    }

    async fn try_begin(&mut self) -> Result<Begun<X>, TransactionError> {
        // A row that appears later is found when this attempt inserts its own.
        if self.progress.in_doubt
            && let Some(recorded) = self.database.find(self.key).await?
        {
            self.progress.has_row = true;
            return Ok(Begun::Ended(Ok(recorded)));
        }
        Ok(Begun::Open(self.database.begin().await?))
    }

    /// Commits the value of the body together with its row, or rolls back.
    pub async fn end(
        &mut self,
        transaction: X,
        result: Result<T, Failure>,
    ) -> Result<RecordedOutcome, Failure> {
        match result.and_then(|value| self.encode(&value)) {
            Ok(payload) => {
                let ended = Box::pin(self.commit(transaction, payload)).await;
                ended.map_err(IntoFailure::into_failure)
            }
            Err(failure) => {
                // If this fails, the transaction is rolled back all the same, when its connection ends.
                let _ = Box::pin(transaction.roll_back()).await;
                Err(failure)
            }
        }
    }

    /// Encodes the value. One that cannot be recorded must not be committed.
    fn encode(&self, value: &T) -> Result<Payload, Failure> {
        let payload = self.codec.encode(value)?;
        let too_large = self.operation.lock().engine.too_large(&payload);
        match too_large {
            None => Ok(payload),
            Some(message) => Err(Failure::of_engine(ErrorKind::TooLarge, message)),
        }
    }

    async fn commit(
        &mut self,
        mut transaction: X,
        payload: Payload,
    ) -> Result<RecordedOutcome, TransactionError> {
        // The fence comes last, because its row is locked until the commit.
        if let Some(fence) = self.key.fence()
            && !transaction.raise_fence(self.key, fence).await?
        {
            transaction.roll_back().await?;
            return Err(TransactionError::stale(self.key));
        }
        let recorded = RecordedOutcome::value(payload);
        if !transaction.insert(self.key, &recorded).await? {
            transaction.roll_back().await?;
            self.progress.has_row = true;
            return winner(self.database, self.key).await;
        }
        self.progress.in_doubt = true;
        transaction.commit().await?;
        (self.progress.has_row, self.progress.fenced) = (true, true);
        Ok(recorded)
    }
}

/// Inserts `error` as the outcome. Returns the outcome, which is that of an earlier attempt if it has committed.
async fn close<X: Transaction>(
    database: &dyn AnyDatabase<X>,
    key: &Key,
    error: &RecordedOutcome,
) -> Result<RecordedOutcome, TransactionError> {
    let mut transaction = database.begin().await?;
    if let Some(fence) = key.fence()
        && !transaction.raise_fence(key, fence).await?
    {
        transaction.roll_back().await?;
        return Err(TransactionError::stale(key));
    }
    if transaction.insert(key, error).await? {
        transaction.commit().await?;
        return Ok(error.clone());
    }
    transaction.roll_back().await?;
    winner(database, key).await
}

/// Reads the outcome row that an earlier attempt has inserted.
async fn winner<X>(
    database: &dyn AnyDatabase<X>,
    key: &Key,
) -> Result<RecordedOutcome, TransactionError> {
    let found = database.find(key).await?;
    found.ok_or_else(|| TransactionError::database("the outcome row was removed while it was read"))
}
