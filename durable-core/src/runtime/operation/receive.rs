//! `receive!`: the next message sent to the execution.

use std::time::Duration;

use super::bound_codec::BoundCodec;
use crate::model::codec::Reads;
use crate::model::error::{ErrorKind, OperationError, ReceiveError};
use crate::runtime::registered::{Answer, Operation};

/// What a `receive!` waits for, and how long.
#[derive(Debug, Clone, Default)]
pub struct Receiving {
    message: Option<String>,
    timeout: Option<Duration>,
}

/// Waits without a limit for messages under the name of the call site.
pub fn receiving() -> Receiving {
    Receiving::default()
}

impl Receiving {
    /// Receives messages under this name instead of the call site's.
    #[must_use]
    pub fn message(mut self, name: String) -> Self {
        self.message = Some(name);
        self
    }

    /// Gives up this long after it first found no message.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// Receives the next message under the name of the call site.
pub fn receive<'a, T, C>(
    operation: Operation<'a>,
    options: Receiving,
    codec: C,
) -> impl Future<Output = Result<T, ReceiveError>> + Send + use<'a, T, C>
where
    T: Send + 'a,
    C: Reads<T> + Send + Sync + 'a,
{
    let codec = BoundCodec::<T, C>::new(codec);
    let Receiving { message, timeout } = options;
    if message.is_some() || timeout.is_some() {
        let mut state = operation.lock();
        state.engine.receive_with(operation.op, message, timeout);
    }
    if !operation.cx.limits().messages {
        refuse(&operation, "receives");
    }
    async move {
        match operation.decide().await {
            Answer::Recorded(outcome) => codec.decode_foreign(&operation, outcome),
            // It has no body; only a stopped invocation leaves it without an outcome.
            Answer::Run => std::future::pending().await,
        }
    }
}

/// Ends the execution because its store keeps no messages.
pub(super) fn refuse(operation: &Operation<'_>, verb: &str) {
    let path = operation.lock().engine.path(operation.op);
    let message = format!(
        "it {verb} a message, and this store keeps none: use `callback!`, which every store supports, or run the handler \
         on a store with messages"
    );
    let error = OperationError::new(path, ErrorKind::Failed, message);
    operation.cx.end_execution(error);
}
