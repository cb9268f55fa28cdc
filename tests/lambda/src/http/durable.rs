//! Server side of the durable API: the checkpoint call and the state call.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::execution::ResponseOptions;
use crate::fault::Fault;
use crate::functions;
use crate::recording::{CallOutcome, CheckpointCall, StateCall};
use crate::signature;
use crate::state::{Shared, State};
use crate::wire::{self, ApiError, CheckpointRequest};

use super::{Call, Reply, error_response, respond};

/// Effect of a call, as decided by its fault.
enum Effect {
    Apply(ResponseOptions),
    Reject(ApiError),
    /// Closes the connection without a response.
    Disconnect,
}

pub(crate) async fn checkpoint(shared: &Arc<Shared>, arn: &str, call: &Call) -> Reply {
    if let Err(error) = check_signature(shared, call) {
        return Some(error_response(&error));
    }
    let fault = shared.change(|state| state.checkpoint_faults.next());
    let parsed = serde_json::from_slice::<CheckpointRequest>(&call.body);
    let request = match parsed {
        Ok(request) => request,
        Err(error) => {
            let message = format!("not a checkpoint request: {error}");
            shared.change(|state| state.recording.invalid_requests.push(message.clone()));
            let error = ApiError::new(400, "SerializationException", message);
            return Some(error_response(&error));
        }
    };
    let effect = apply_fault(shared, fault.as_ref()).await;
    let (result, invokes) = shared.change(|state| {
        let (result, outcome, invokes) = match effect {
            Effect::Apply(options) => apply(state, arn, &request, options, fault.as_ref()),
            Effect::Reject(error) => {
                let outcome = faulted(fault.as_ref(), CallOutcome::Rejected(error.clone()));
                (Some(Err(error)), outcome, Vec::new())
            }
            Effect::Disconnect => {
                let outcome = faulted(fault.as_ref(), CallOutcome::Accepted);
                (None, outcome, Vec::new())
            }
        };
        state.recording.checkpoints.push(CheckpointCall {
            invocation: state.invocation_of(arn),
            token: request.checkpoint_token.clone(),
            client_token: request.client_token.clone(),
            updates: request.updates.clone(),
            bytes: call.body.len(),
            outcome,
        });
        (result, invokes)
    });
    for operation in invokes {
        functions::run_function(shared, arn, &operation);
    }
    if fault == Some(Fault::KillAfter) {
        kill(shared).await;
        return None;
    }
    reply(result?, fault.as_ref())
}

fn reply(result: Result<Value, ApiError>, fault: Option<&Fault>) -> Reply {
    match (result, fault) {
        (Ok(_), Some(Fault::LoseResponse)) => None,
        (Ok(_), Some(Fault::Garble)) => Some(respond(200, &[], "<html>")),
        (Ok(body), _) => Some(respond(200, &[], body.to_string())),
        (Err(error), _) => Some(error_response(&error)),
    }
}

/// Returns the outcome to record: the fault, if there is one.
fn faulted(fault: Option<&Fault>, otherwise: CallOutcome) -> CallOutcome {
    fault.cloned().map_or(otherwise, CallOutcome::Faulted)
}

type Applied = (Option<Result<Value, ApiError>>, CallOutcome, Vec<String>);

fn apply(
    state: &mut State,
    arn: &str,
    request: &CheckpointRequest,
    options: ResponseOptions,
    fault: Option<&Fault>,
) -> Applied {
    let applied = match state.executions.get_mut(arn) {
        Some(execution) => {
            execution.functions = state.functions.keys().cloned().collect();
            execution.checkpoint(request, wire::now(), options)
        }
        None => Err(not_found(arn)),
    };
    match applied {
        Ok(result) => {
            let outcome = if result.repeated {
                CallOutcome::Repeated
            } else {
                CallOutcome::Accepted
            };
            (
                Some(Ok(result.body)),
                faulted(fault, outcome),
                result.invokes,
            )
        }
        Err(error) => (
            Some(Err(error.clone())),
            CallOutcome::Rejected(error),
            Vec::new(),
        ),
    }
}

fn not_found(arn: &str) -> ApiError {
    ApiError::new(
        404,
        "ResourceNotFoundException",
        format!("Execution not found: {arn}"),
    )
}

/// Applies the part of a fault that precedes the call's effect, and returns the effect.
async fn apply_fault(shared: &Arc<Shared>, fault: Option<&Fault>) -> Effect {
    match fault {
        Some(Fault::LoseRequest) => return Effect::Disconnect,
        Some(Fault::Reject(error)) => return Effect::Reject(error.clone()),
        Some(Fault::Throttle(seconds)) => {
            let now = wire::now();
            let since = shared.change(|state| *state.throttled_since.get_or_insert(now));
            if now < since + seconds * 1_000 {
                return Effect::Reject(ApiError {
                    retry_after: Some(*seconds),
                    ..ApiError::new(429, "TooManyRequestsException", "Rate exceeded")
                });
            }
        }
        Some(Fault::KillBefore) => {
            kill(shared).await;
            return Effect::Disconnect;
        }
        Some(Fault::Delay(delay)) => tokio::time::sleep(*delay).await,
        _ => {}
    }
    Effect::Apply(ResponseOptions {
        withhold_token: fault == Some(&Fault::WithholdToken),
        page_size: match fault {
            Some(Fault::PageResponse(size)) => Some(*size),
            _ => None,
        },
    })
}

/// Kills the subject and waits for its end.
async fn kill(shared: &Arc<Shared>) {
    shared.change(|state| state.kill = state.program.is_some());
    let dead = shared.wait_until(|state| (!state.kill).then_some(()));
    let _ = tokio::time::timeout(Duration::from_secs(10), dead).await;
}

pub(crate) async fn state(shared: &Arc<Shared>, arn: &str, call: &Call) -> Reply {
    if let Err(error) = check_signature(shared, call) {
        return Some(error_response(&error));
    }
    let fault = shared.change(|state| state.state_faults.next());
    let token = call.parameter("CheckpointToken").unwrap_or_default();
    let marker = call.parameter("Marker");
    let max_items = call
        .parameter("MaxItems")
        .and_then(|text| text.parse().ok());
    let effect = apply_fault(shared, fault.as_ref()).await;
    let result = shared.change(|state| {
        let result = match effect {
            Effect::Apply(_) => Some(match state.executions.get_mut(arn) {
                Some(execution) => execution.state(&token, marker.as_deref(), max_items),
                None => Err(not_found(arn)),
            }),
            Effect::Reject(error) => Some(Err(error)),
            Effect::Disconnect => None,
        };
        let returned = result.as_ref().and_then(|result| result.as_ref().ok());
        let returned = returned.and_then(|body| body["Operations"].as_array());
        let outcome = match &result {
            Some(Err(error)) => faulted(fault.as_ref(), CallOutcome::Rejected(error.clone())),
            _ => faulted(fault.as_ref(), CallOutcome::Accepted),
        };
        state.recording.states.push(StateCall {
            token,
            marker,
            max_items,
            returned: returned.map_or(0, Vec::len),
            outcome,
        });
        result
    });
    reply(result?, fault.as_ref())
}

fn check_signature(shared: &Arc<Shared>, call: &Call) -> Result<(), ApiError> {
    let credentials = shared.lock().config.credentials();
    let request = signature::Request {
        method: call.method.as_str(),
        path: &call.path,
        query: &call.query,
        headers: &call.headers,
        body: &call.body,
    };
    signature::verify(&request, &credentials).map_err(|why| {
        let message = format!("{} {}: {why}", call.method, call.path);
        shared.change(|state| state.recording.invalid_requests.push(message));
        ApiError::new(403, "InvalidSignatureException", json!(why).to_string())
    })
}
