//! Limits and contents of queues.

use super::Client;
use crate::store::{Queue, QueueState, StoreError, StoreErrorKind};

impl Client {
    /// Lists every queue that was set up or has something in it, by name.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn queues(&self) -> Result<Vec<QueueState>, StoreError> {
        self.store.queues().await
    }

    /// Sets the limits of a queue, in place of those it had.
    ///
    /// ```
    /// # async fn f(client: durable_core::Client) -> Result<(), durable_core::BoxError> {
    /// use durable_core::store::Queue;
    ///
    /// let imports = Queue { name: "imports".into(), concurrency: Some(4), ..Queue::default() };
    /// client.set_queue(imports).await?;
    /// client.pause_queue("imports", true).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn set_queue(&self, queue: Queue) -> Result<(), StoreError> {
        self.store.put_queue(queue).await
    }

    /// Pauses a queue, so that nothing leaves it, or resumes it. Its limits stay.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`] when there is no such queue.
    pub async fn pause_queue(&self, name: &str, paused: bool) -> Result<(), StoreError> {
        let queues = self.store.queues().await?;
        let found = queues.into_iter().find(|state| state.queue.name == name);
        let Some(state) = found else {
            let message =
                format!("there is no queue `{name}`: set it up, or start an execution in it first");
            return Err(StoreError::new(StoreErrorKind::NotFound, message));
        };
        self.store
            .put_queue(Queue {
                paused,
                ..state.queue
            })
            .await
    }

    /// Removes the limits of a queue. What is in it stays.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`] when the queue was not set up.
    pub async fn remove_queue(&self, name: &str) -> Result<(), StoreError> {
        self.store.remove_queue(name).await
    }
}
