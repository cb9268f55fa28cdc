//! Selections of executions, which are listed or changed together.

use std::fmt;

use super::{Client, RetryFrom};
use crate::ExecutionId;
use crate::store::{
    Execution, ExecutionStatus, Filter, Order, StoreError, StoreErrorKind, is_chain_running,
};

/// Number of executions per page when a selection is read.
const PAGE: usize = 500;

/// Change applied to all executions of a [`Selection`].
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
    /// Returns whether the change can have an effect on an execution in this state.
    fn affects(&self, execution: &Execution) -> bool {
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

/// Executions that match a filter. Created by [`Client::select`].
pub struct Selection {
    pub(super) client: Client,
    pub(super) filter: Filter,
}

/// Result of a [`Bulk`] change.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Changed {
    /// Executions that were changed.
    pub done: Vec<ExecutionId>,
    /// Executions that could not be changed, with the error.
    pub refused: Vec<(ExecutionId, StoreError)>,
}

impl Selection {
    /// Returns the filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Returns the ids of the selected executions at the time of the call.
    ///
    /// # Errors
    ///
    /// Errors of the store.
    pub async fn ids(&self) -> Result<Vec<ExecutionId>, StoreError> {
        let selected = self.collect(|_| true).await?;
        Ok(selected.into_iter().map(|(id, _)| id).collect())
    }

    /// Returns the executions that [`apply`](Self::apply) would change, for a dry run.
    ///
    /// # Errors
    ///
    /// Errors of the store.
    pub async fn affected(&self, change: &Bulk) -> Result<Vec<ExecutionId>, StoreError> {
        let selected = self.collect(|execution| change.affects(execution)).await?;
        let mut affected = Vec::new();
        for (id, next) in selected {
            let is_running = match next {
                Some(next) if *change == Bulk::Delete => {
                    is_chain_running(&*self.client.store, next).await?
                }
                _ => false,
            };
            if !is_running {
                affected.push(id);
            }
        }
        Ok(affected)
    }

    /// Changes the selected executions. Skips those on which the change has no effect.
    ///
    /// # Errors
    ///
    /// Errors of the store that concern more than one execution. Changes made before the error remain.
    pub async fn apply(&self, change: Bulk) -> Result<Changed, StoreError> {
        let mut changed = Changed::default();
        for id in self.affected(&change).await? {
            match self.client.apply(&id, &change).await {
                Ok(()) => changed.done.push(id),
                Err(error) if concerns_one_execution(&error) => changed.refused.push((id, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(changed)
    }

    /// Collects the ids of matching executions, each with the id of the execution that continues it.
    async fn collect(
        &self,
        wanted: impl Fn(&Execution) -> bool,
    ) -> Result<Vec<(ExecutionId, Option<ExecutionId>)>, StoreError> {
        let mut filter = self.filter.clone();
        (filter.limit, filter.order) = (PAGE, Order::Id);
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

/// Returns whether an error concerns only one execution.
fn concerns_one_execution(error: &StoreError) -> bool {
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
