//! Chains of executions, each of which continues as the next.

use super::{Store, StoreError, StoreErrorKind};
use crate::{ExecutionId, Timestamp};

/// Cancels an execution and every one that continues it.
pub(crate) async fn cancel_chain(
    store: &dyn Store,
    mut id: ExecutionId,
    now: Timestamp,
) -> Result<(), StoreError> {
    loop {
        store.cancel(&id, now).await?;
        match store.get(&id).await?.next {
            Some(next) => id = next,
            None => return Ok(()),
        }
    }
}

/// Returns whether the last execution of a chain has not ended. A chain that was removed has ended.
pub(crate) async fn is_chain_running(
    store: &dyn Store,
    mut id: ExecutionId,
) -> Result<bool, StoreError> {
    loop {
        let execution = match store.get(&id).await {
            Ok(execution) => execution,
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        match execution.next {
            Some(next) => id = next,
            None => return Ok(!execution.status.is_terminal()),
        }
    }
}
