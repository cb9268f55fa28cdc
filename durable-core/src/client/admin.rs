//! Administration of executions, one by one or all that a filter selects.

use super::Client;
use super::rewind::{Plan, RetryFrom, plan};
use super::selection::{Bulk, Selection};
use crate::store::{
    CallbackId, Change, Counts, Execution, ExecutionStatus, Filter, Rewind, StoreError,
    StoreErrorKind, refuse_sealed,
};
use crate::{BoxFuture, ExecutionId, Kind, Timestamp};

impl Client {
    /// Returns the execution with this id.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`] if there is no such execution.
    pub async fn describe(&self, id: &ExecutionId) -> Result<Execution, StoreError> {
        self.store.get(id).await
    }

    /// Returns a page of executions in the order of [`Filter::order`], by default the ascending order of their ids. Set
    /// [`Filter::after`] to get the next page of that one.
    ///
    /// # Errors
    ///
    /// Errors of the store.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Execution>, StoreError> {
        self.store.list(filter).await
    }

    /// Counts executions by handler and status; about `limit` executions at most. If there are more, the large groups are
    /// counted in part ([`Count::complete`](crate::store::Count::complete)), so the cost does not grow with the store.
    ///
    /// ```
    /// # async fn f(client: durable_core::Client) -> Result<(), durable_core::BoxError> {
    /// let counts = client.counts(100_000).await?;
    /// for count in &counts.counts {
    ///     println!("{} {}: {}", count.handler, count.status, count.executions);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn counts(&self, limit: usize) -> Result<Counts, StoreError> {
        self.store.counts(limit).await
    }

    /// Counts the recorded operations of each execution: how far it has progressed. Unknown executions have none.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn operation_counts(&self, ids: &[ExecutionId]) -> Result<Vec<u64>, StoreError> {
        self.store.operation_counts(ids).await
    }

    /// Returns all records of an execution, in the order in which they were first written.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`] if there is no such execution.
    pub async fn history(&self, id: &ExecutionId) -> Result<Vec<crate::Record>, StoreError> {
        self.store.history(id).await
    }

    /// Pauses an execution at its next durable boundary, until it is resumed.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`], or [`StoreErrorKind::Conflict`] if the execution has ended.
    pub async fn pause(&self, id: &ExecutionId) -> Result<(), StoreError> {
        self.change(id, Change::Pause).await
    }

    /// Resumes a paused execution where it left off, or lets any build try a blocked one again.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`], or [`StoreErrorKind::Conflict`] if the execution has ended.
    pub async fn resume(&self, id: &ExecutionId) -> Result<(), StoreError> {
        self.change(id, Change::Resume).await
    }

    /// Runs an execution again that has ended, is blocked or is suspended. Child executions whose failure made
    /// it fail run again too. A parent that waited for its end has been notified already and is not notified
    /// again.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`] if there is no such execution or operation. [`StoreErrorKind::Conflict`] if
    /// the execution is running or was continued by another one.
    pub async fn retry(&self, id: &ExecutionId, from: &RetryFrom) -> Result<(), StoreError> {
        self.rerun(id.clone(), from.clone()).await
    }

    fn rerun(&self, id: ExecutionId, from: RetryFrom) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let execution = self.store.get(&id).await?;
            let records = self.store.history(&id).await?;
            refuse_sealed(&execution, &records)?;
            let Plan {
                mut rewind,
                retry_children,
                delete_children,
            } = plan(&records, &from, self.clock.now()).map_err(|why| {
                let message = format!("execution `{id}` cannot be retried: {why}");
                StoreError::new(StoreErrorKind::NotFound, message)
            })?;
            refuse_foreign_callbacks(&id, &rewind)?;
            rewind.seen = execution.changes;
            for child in &delete_children {
                self.delete_tree(child.clone()).await?;
            }
            self.change(&id, Change::Rewind(rewind)).await?;
            for child in retry_children {
                self.rerun(child, RetryFrom::Failure).await?;
            }
            Ok(())
        })
    }

    /// Deletes a child execution that its parent is going to start retry_children, with the children that it started.
    fn delete_tree(&self, id: ExecutionId) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let all = plan(
                &self.store.history(&id).await?,
                &RetryFrom::Beginning,
                Timestamp::default(),
            );
            for child in all.map(|plan| plan.delete_children).unwrap_or_default() {
                self.delete_tree(child).await?;
            }
            match self.change(&id, Change::Delete).await {
                Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(()),
                done => done,
            }
        })
    }

    /// Deletes an ended execution and its history. Its id can be used again.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`], or [`StoreErrorKind::Conflict`] if the execution has not ended.
    pub async fn delete(&self, id: &ExecutionId) -> Result<(), StoreError> {
        self.change(id, Change::Delete).await
    }

    /// Applies a change to one execution. [`Selection::apply`] applies it to many.
    ///
    /// # Errors
    ///
    /// Errors of the method for that change.
    pub async fn apply(&self, id: &ExecutionId, change: &Bulk) -> Result<(), StoreError> {
        match change {
            Bulk::Cancel => self.cancel(id).await,
            Bulk::Pause => self.pause(id).await,
            Bulk::Resume => self.resume(id).await,
            Bulk::Retry(from) => self.retry(id, from).await,
            Bulk::Delete => self.delete(id).await,
        }
    }

    async fn change(&self, id: &ExecutionId, change: Change) -> Result<(), StoreError> {
        self.store.change(id, change, self.clock.now()).await
    }

    /// Selects all executions that match `filter`, to list or change them together. Ignores [`Filter::limit`]
    /// and [`Filter::order`].
    ///
    /// ```
    /// # async fn f(client: durable_core::Client) -> Result<(), durable_core::BoxError> {
    /// use durable_core::store::{ExecutionStatus, Filter};
    ///
    /// let failed = Filter { status: vec![ExecutionStatus::Failed], ..Filter::default() };
    /// let failed = client.select(failed);
    /// println!("would retry {:?}", failed.ids().await?);
    /// let done = failed.apply(durable_core::Bulk::Retry(durable_core::RetryFrom::Failure)).await?;
    /// println!("{} retried, {} not", done.done.len(), done.refused.len());
    /// # Ok(()) }
    /// ```
    pub fn select(&self, filter: Filter) -> Selection {
        Selection {
            client: self.clone(),
            filter,
        }
    }

    /// Selects executions that ended before `before`, for a retention sweep.
    ///
    /// The executions of a chain are kept while it continues, so that starting its id again does not start it
    /// anew.
    pub fn ended_before(&self, before: Timestamp) -> Selection {
        let all = ExecutionStatus::ALL.into_iter();
        self.select(Filter {
            status: all.filter(|status| status.is_terminal()).collect(),
            updated_before: Some(before),
            ..Filter::default()
        })
    }
}

/// Refuses to wait again for a callback that was taken over from another execution: its id belongs to that one.
fn refuse_foreign_callbacks(id: &ExecutionId, rewind: &Rewind) -> Result<(), StoreError> {
    let waiting = rewind
        .records
        .iter()
        .filter(|record| record.kind == Kind::Callback);
    for record in waiting {
        let callback = record.handle.as_deref().map(str::parse::<CallbackId>);
        let Some(Ok(callback)) = callback else {
            continue;
        };
        if callback.execution() != id {
            let message = format!(
                "execution `{id}` cannot be retried: its callback `{}` was taken over from `{}`, and nobody knows a new \
                 one. Fork that execution before the callback",
                record.display_name(),
                callback.execution()
            );
            return Err(StoreError::new(StoreErrorKind::Conflict, message));
        }
    }
    Ok(())
}
