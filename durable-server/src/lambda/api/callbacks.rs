//! Callback operations: success, failure and heartbeat.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;

use super::request::{Call, CallbackAction};
use super::response::json_text;
use crate::lambda::engine::Engine;
use crate::lambda::service::{CallbackOutcome, ErrorObject, Refusal, token};

pub(super) async fn answer(
    engine: &Arc<Engine>,
    id: &str,
    act: CallbackAction,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let invalid = || Refusal::invalid("Invalid callback id");
    let (execution, operation) = token::callback_target(id).ok_or_else(invalid)?;
    let outcome = match act {
        CallbackAction::Heartbeat => None,
        CallbackAction::Succeed => Some(CallbackOutcome::Succeeded(result(call)?)),
        CallbackAction::Fail => {
            let error = call.json::<ErrorObject>()?.unwrap_or_default();
            Some(CallbackOutcome::Failed(error))
        }
    };
    let missing = || Refusal::not_found("The callback's durable execution does not exist");
    let changed = engine.change(&execution, missing, |execution, at| match outcome {
        None => execution.heartbeat(&operation, id, at),
        Some(outcome) => execution.complete_callback(&operation, id, outcome, at),
    });
    changed.await?;
    Ok(json_text(200, "{}"))
}

fn result(call: &Call) -> Result<Option<String>, Refusal> {
    if call.body.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(&call.body);
    let text = text.map_err(|_| Refusal::invalid("The result of a callback must be UTF-8."))?;
    Ok(Some(text.to_owned()))
}
