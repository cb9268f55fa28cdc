//! `send!`: a message to another execution.

use serde::Serialize;

use super::attempt::run_to_end;
use super::receive::refuse;
use crate::model::error::SendError;
use crate::model::payload::Payload;
use crate::runtime::failure::{Failure, IntoFailure, fatal};
use crate::runtime::registered::Operation;
use crate::store::{NewMessage, StoreError, StoreErrorKind};

/// Options of a `send!`.
#[derive(Debug, Clone, Default)]
pub struct Sending {
    message: Option<String>,
}

/// Sends under the name of the call site.
pub fn sending() -> Sending {
    Sending::default()
}

impl Sending {
    /// Sends under this name instead.
    #[must_use]
    pub fn message(mut self, name: String) -> Self {
        self.message = Some(name);
        self
    }
}

/// Sends `value` to the execution `to` under the name of the call site.
///
/// The message's id is derived from the identity of the operation, so that a repeated attempt sends nothing twice.
pub fn send<'a, V: Serialize>(
    operation: Operation<'a>,
    to: String,
    value: &V,
    options: Sending,
) -> impl Future<Output = Result<(), SendError>> + Send + use<'a, V> {
    let value = serde_json::to_vec(value).map_err(|error| error.to_string());
    if !operation.cx.limits().messages {
        refuse(&operation, "sends");
    }
    async move {
        let body = || Some(deliver(&operation, &to, &value, &options));
        run_to_end(&operation, body).await
    }
}

async fn deliver(
    operation: &Operation<'_>,
    to: &str,
    value: &Result<Vec<u8>, String>,
    options: &Sending,
) -> Result<(), Failure> {
    let id = to.parse().map_err(|error| given_up(format!("{error}")))?;
    let value = value
        .clone()
        .map_err(|error| given_up(format!("the message cannot be encoded as JSON: {error}")))?;
    let (name, key) = {
        let state = operation.lock();
        let record = state.engine.record(operation.op);
        let key = format!("{}/{}", operation.cx.execution().id(), record.id);
        let name = options.message.clone();
        (name.unwrap_or_else(|| record.name.to_string()), key)
    };
    let message = NewMessage::new(key, name, Payload::json(value)).map_err(failure)?;
    let Some(children) = &operation.shared().children else {
        return Err(given_up("this runtime cannot send messages".to_owned()));
    };
    children
        .store
        .send(&id, message, operation.now())
        .await
        .map_err(failure)
}

/// Only a store that is unavailable is worth another attempt.
fn failure(error: StoreError) -> Failure {
    match error.kind() {
        StoreErrorKind::Unavailable => error.into_failure(),
        _ => fatal(error).into_failure(),
    }
}

fn given_up(message: String) -> Failure {
    fatal(message).into_failure()
}
