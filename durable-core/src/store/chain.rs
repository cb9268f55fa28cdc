//! Executions that continue as another one.

use super::{Store, StoreError};
use crate::{ExecutionId, Timestamp};

/// Cancels the execution, or the one at the end of its chain.
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
