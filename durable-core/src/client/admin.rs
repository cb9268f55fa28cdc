//! What is done to executions: one by one, or to all that a filter selects.

use std::fmt;

use super::Client;
use super::rewind::{Plan, RetryFrom, plan};
use crate::store::{
    Change, Execution, ExecutionStatus, Filter, StoreError, StoreErrorKind, refuse_sealed,
};
use crate::{BoxFuture, ExecutionId, Timestamp};

/// Executions that are read or changed in one go.
const PAGE: usize = 500;

impl Client {
    /// The execution with this id.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`].
    pub async fn describe(&self, id: &ExecutionId) -> Result<Execution, StoreError> {
        self.store.get(id).await
    }

    /// A page of executions, in ascending order of their ids; [`Filter::after`] goes on behind one.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Execution>, StoreError> {
        self.store.list(filter).await
    }

    /// All records of an execution, in the order in which they were first written.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`].
    pub async fn history(&self, id: &ExecutionId) -> Result<Vec<crate::Record>, StoreError> {
        self.store.history(id).await
    }

    /// Nothing of the execution runs from its next durable boundary on, until it is resumed.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`], [`StoreErrorKind::Conflict`] when it has ended.
    pub async fn pause(&self, id: &ExecutionId) -> Result<(), StoreError> {
        self.change(id, Change::Pause).await
    }

    /// One that was paused goes on where it was; one that is blocked is tried again, by whatever build.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`], [`StoreErrorKind::Conflict`] when it has ended.
    pub async fn resume(&self, id: &ExecutionId) -> Result<(), StoreError> {
        self.change(id, Change::Resume).await
    }

    /// An execution that has failed, was cancelled or has succeeded runs again, and so does one that is
    /// blocked or suspended. Executions that failed for it run again too. An execution that waited
    /// for it has been told of its end, and is not told again.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`] when there is no such execution or operation,
    /// [`StoreErrorKind::Conflict`] when it is being run or another one goes on in its place.
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
                again,
                forget,
            } = plan(&records, &from, self.clock.now()).map_err(|why| {
                let message = format!("execution `{id}` cannot be retried: {why}");
                StoreError::new(StoreErrorKind::NotFound, message)
            })?;
            rewind.seen = execution.changes;
            for child in &forget {
                self.forget(child.clone()).await?;
            }
            self.change(&id, Change::Rewind(rewind)).await?;
            for child in again {
                self.rerun(child, RetryFrom::Failure).await?;
            }
            Ok(())
        })
    }

    /// Removes an execution that another one is going to start anew, with those it had started.
    fn forget(&self, id: ExecutionId) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let all = plan(
                &self.store.history(&id).await?,
                &RetryFrom::Beginning,
                Timestamp::default(),
            );
            for child in all.map(|plan| plan.forget).unwrap_or_default() {
                self.forget(child).await?;
            }
            match self.change(&id, Change::Delete).await {
                Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(()),
                done => done,
            }
        })
    }

    /// Removes an execution that has ended, and its history. Its id can be used again.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`], [`StoreErrorKind::Conflict`] when it has not ended.
    pub async fn delete(&self, id: &ExecutionId) -> Result<(), StoreError> {
        self.change(id, Change::Delete).await
    }

    /// Does to one execution what [`Selection::apply`] does to many.
    ///
    /// # Errors
    ///
    /// Those of the method that `change` stands for.
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

    /// All executions that `filter` selects, whatever its [`Filter::limit`], to be looked at or changed
    /// together.
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

    /// What a retention sweep removes: executions that ended before `before`.
    ///
    /// The links of a chain are kept while it goes on, so that nobody starts it again by its id.
    pub fn ended_before(&self, before: Timestamp) -> Selection {
        let all = ExecutionStatus::ALL.into_iter();
        self.select(Filter {
            status: all.filter(|status| status.is_terminal()).collect(),
            updated_before: Some(before),
            ..Filter::default()
        })
    }
}

/// What is done to all executions of a [`Selection`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bulk {
    /// [`Client::cancel`].
    Cancel,
    /// [`Client::pause`].
    Pause,
    /// [`Client::resume`].
    Resume,
    /// [`Client::retry`].
    Retry(RetryFrom),
    /// [`Client::delete`].
    Delete,
}

impl Bulk {
    /// Whether it can make a difference to an execution in this state.
    fn concerns(&self, execution: &Execution) -> bool {
        let status = execution.status;
        match self {
            Self::Cancel => !status.is_terminal() && !execution.cancel,
            Self::Pause => !status.is_terminal() && !execution.paused,
            Self::Resume => execution.paused || status == ExecutionStatus::Blocked,
            Self::Retry(_) => {
                matches!(status, ExecutionStatus::Failed | ExecutionStatus::Cancelled)
            }
            Self::Delete => status.is_terminal(),
        }
    }
}

/// Executions that a filter selects. Made by [`Client::select`].
pub struct Selection {
    client: Client,
    filter: Filter,
}

/// What became of a [`Bulk`] change.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Changed {
    /// Executions that were changed.
    pub done: Vec<ExecutionId>,
    /// Executions that could not be changed, and why.
    pub refused: Vec<(ExecutionId, StoreError)>,
}

impl Selection {
    /// What selects.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What is selected, as of now.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn ids(&self) -> Result<Vec<ExecutionId>, StoreError> {
        let selected = self.collect(|_| true).await?;
        Ok(selected.into_iter().map(|(id, _)| id).collect())
    }

    /// The dry run of [`apply`](Self::apply): what it would change.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn concerned(&self, change: &Bulk) -> Result<Vec<ExecutionId>, StoreError> {
        let selected = self.collect(|execution| change.concerns(execution)).await?;
        let mut concerned = Vec::new();
        for (id, next) in selected {
            let goes_on = match next {
                Some(next) if *change == Bulk::Delete => self.goes_on(next).await?,
                _ => false,
            };
            if !goes_on {
                concerned.push(id);
            }
        }
        Ok(concerned)
    }

    /// Changes what is selected. What is in no state for it is left alone.
    ///
    /// # Errors
    ///
    /// Those of the store that concern more than one execution. What was done before stays done.
    pub async fn apply(&self, change: Bulk) -> Result<Changed, StoreError> {
        let mut changed = Changed::default();
        for id in self.concerned(&change).await? {
            match self.client.apply(&id, &change).await {
                Ok(()) => changed.done.push(id),
                Err(error) if is_its_own(&error) => changed.refused.push((id, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(changed)
    }

    /// Whether the chain that goes on with this execution has not ended.
    async fn goes_on(&self, mut next: ExecutionId) -> Result<bool, StoreError> {
        loop {
            let execution = match self.client.store.get(&next).await {
                Ok(execution) => execution,
                Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            };
            match execution.next {
                Some(further) => next = further,
                None => return Ok(!execution.status.is_terminal()),
            }
        }
    }

    /// Ids, each with what goes on in its place.
    async fn collect(
        &self,
        wanted: impl Fn(&Execution) -> bool,
    ) -> Result<Vec<(ExecutionId, Option<ExecutionId>)>, StoreError> {
        let mut filter = self.filter.clone();
        filter.limit = PAGE;
        let mut ids = Vec::new();
        loop {
            let page = self.client.store.list(filter.clone()).await?;
            let Some(last) = page.last() else {
                return Ok(ids);
            };
            filter.after = Some(last.id.clone());
            let full = page.len() >= PAGE;
            ids.extend(
                page.into_iter()
                    .filter(&wanted)
                    .map(|execution| (execution.id, execution.next)),
            );
            if !full {
                return Ok(ids);
            }
        }
    }
}

/// Whether an error says something about one execution only.
fn is_its_own(error: &StoreError) -> bool {
    matches!(
        error.kind(),
        StoreErrorKind::NotFound
            | StoreErrorKind::Conflict
            | StoreErrorKind::Leased
            | StoreErrorKind::Corrupt
    )
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Selection").field(&self.filter).finish()
    }
}
