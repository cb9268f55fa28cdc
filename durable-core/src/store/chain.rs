//! Chains of executions, each of which continues as the next.

use super::{Store, StoreError};
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
