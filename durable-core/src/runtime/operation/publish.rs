//! `publish!`: the latest value under a name, for clients.

use serde::Serialize;

use crate::model::codec;
use crate::model::error::{ErrorKind, OperationError, PublishError};
use crate::model::payload::Payload;
use crate::runtime::context::Context;

impl Context {
    /// Publishes a value under this name. Code of the handler or of a scope calls this.
    ///
    /// # Errors
    ///
    /// An error if the value cannot be encoded as JSON or is larger than the store's limit.
    pub fn publish<V: Serialize + ?Sized>(
        &self,
        name: &'static str,
        value: &V,
    ) -> Result<(), PublishError> {
        self.publish_value(name, value, false)
    }

    /// Does the same for the code of a body, which a replay skips.
    ///
    /// # Errors
    ///
    /// Those of [`publish`](Self::publish).
    pub fn publish_in_body<V: Serialize + ?Sized>(
        &self,
        name: &'static str,
        value: &V,
    ) -> Result<(), PublishError> {
        self.publish_value(name, value, true)
    }

    fn publish_value<V: Serialize + ?Sized>(
        &self,
        name: &'static str,
        value: &V,
        in_body: bool,
    ) -> Result<(), PublishError> {
        let refused = |kind, message| Err(OperationError::new(name, kind, message));
        let payload = match codec::encode_one_way(value) {
            Ok(data) => Payload::json(data),
            Err(error) => {
                let message = format!("the value cannot be encoded as JSON: {error}");
                return refused(ErrorKind::Codec, message);
            }
        };
        let limits = self.limits();
        let (size, limit) = (limits.stored(&payload), limits.max_value);
        if size > limit {
            let message = format!(
                "its value of {size} bytes is over the store's limit of {limit}: publish a summary instead"
            );
            return refused(ErrorKind::TooLarge, message);
        }
        if limits.service_driven {
            // The service's records cannot be overwritten, and each would be another operation.
            let value = String::from_utf8_lossy(&payload.data);
            tracing::info!(execution = %self.execution().id(), name, %value, "published");
            return Ok(());
        }
        let now = self.now();
        let mut state = self.shared.lock();
        state
            .engine
            .publish(self.scope, name, payload, in_body, now);
        Ok(())
    }
}
