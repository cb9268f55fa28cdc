//! The two calls of the durable API that a handler makes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::execution::Twist;
use crate::fault::Fault;
use crate::functions;
use crate::record::{CallEnd, CheckpointCall, StateCall};
use crate::signature;
use crate::state::{Shared, State};
use crate::wire::{self, CheckpointRequest, Refusal};

use super::{Call, Reply, refuse, respond};

/// How a call goes on that a fault is in the way of.
enum Way {
    /// It has its effect.
    On(Twist),
    Refused(Refusal),
    HungUp,
}

pub(crate) async fn checkpoint(shared: &Arc<Shared>, arn: &str, call: &Call) -> Reply {
    if let Err(refusal) = check_signature(shared, call) {
        return Some(refuse(&refusal));
    }
    let fault = shared.change(|state| state.checkpoint_faults.next());
    let parsed = serde_json::from_slice::<CheckpointRequest>(&call.body);
    let request = match parsed {
        Ok(request) => request,
        Err(error) => {
            let stray = format!("not a checkpoint request: {error}");
            shared.change(|state| state.record.strays.push(stray.clone()));
            return Some(refuse(&Refusal::new(400, "SerializationException", stray)));
        }
    };
    let way = go(shared, fault.as_ref()).await;
    let (answer, invokes) = shared.change(|state| {
        let (answer, end, invokes) = match way {
            Way::On(twist) => apply(state, arn, &request, twist, fault.as_ref()),
            Way::Refused(refusal) => {
                let end = faulted(fault.as_ref(), CallEnd::Refused(refusal.clone()));
                (Some(Err(refusal)), end, Vec::new())
            }
            Way::HungUp => (None, faulted(fault.as_ref(), CallEnd::Accepted), Vec::new()),
        };
        state.record.checkpoints.push(CheckpointCall {
            invocation: state.invocation_of(arn),
            token: request.checkpoint_token.clone(),
            client_token: request.client_token.clone(),
            updates: request.updates.clone(),
            bytes: call.body.len(),
            end,
        });
        (answer, invokes)
    });
    for operation in invokes {
        functions::run_function(shared, arn, &operation);
    }
    if fault == Some(Fault::KillAfter) {
        kill(shared).await;
        return None;
    }
    reply(answer?, fault.as_ref())
}

fn reply(answer: Result<Value, Refusal>, fault: Option<&Fault>) -> Reply {
    match (answer, fault) {
        (Ok(_), Some(Fault::LoseResponse)) => None,
        (Ok(_), Some(Fault::Garble)) => Some(respond(200, &[], "<html>")),
        (Ok(body), _) => Some(respond(200, &[], body.to_string())),
        (Err(refusal), _) => Some(refuse(&refusal)),
    }
}

fn faulted(fault: Option<&Fault>, otherwise: CallEnd) -> CallEnd {
    fault.cloned().map_or(otherwise, CallEnd::Faulted)
}

type Applied = (Option<Result<Value, Refusal>>, CallEnd, Vec<String>);

fn apply(
    state: &mut State,
    arn: &str,
    request: &CheckpointRequest,
    twist: Twist,
    fault: Option<&Fault>,
) -> Applied {
    let applied = match state.executions.get_mut(arn) {
        Some(execution) => {
            execution.functions = state.functions.keys().cloned().collect();
            execution.checkpoint(request, wire::now(), twist)
        }
        None => Err(unknown(arn)),
    };
    match applied {
        Ok(answer) => {
            let end = if answer.repeated {
                CallEnd::Repeated
            } else {
                CallEnd::Accepted
            };
            (Some(Ok(answer.body)), faulted(fault, end), answer.invokes)
        }
        Err(refusal) => (
            Some(Err(refusal.clone())),
            CallEnd::Refused(refusal),
            Vec::new(),
        ),
    }
}

fn unknown(arn: &str) -> Refusal {
    Refusal::new(
        404,
        "ResourceNotFoundException",
        format!("Execution not found: {arn}"),
    )
}

/// What the fault does before the call has its effect.
async fn go(shared: &Arc<Shared>, fault: Option<&Fault>) -> Way {
    match fault {
        Some(Fault::LoseRequest) => return Way::HungUp,
        Some(Fault::Refuse(refusal)) => return Way::Refused(refusal.clone()),
        Some(Fault::Throttle(seconds)) => {
            let now = wire::now();
            let since = shared.change(|state| *state.throttled.get_or_insert(now));
            if now < since + seconds * 1_000 {
                return Way::Refused(Refusal {
                    retry_after: Some(*seconds),
                    ..Refusal::new(429, "TooManyRequestsException", "Rate exceeded")
                });
            }
        }
        Some(Fault::KillBefore) => {
            kill(shared).await;
            return Way::HungUp;
        }
        Some(Fault::Delay(delay)) => tokio::time::sleep(*delay).await,
        _ => {}
    }
    Way::On(Twist {
        withhold: fault == Some(&Fault::WithholdToken),
        page: match fault {
            Some(Fault::PageAnswer(most)) => Some(*most),
            _ => None,
        },
    })
}

/// Kills the subject and waits until that is done.
async fn kill(shared: &Arc<Shared>) {
    shared.change(|state| state.kill = state.program.is_some());
    let dead = shared.until(|state| (!state.kill).then_some(()));
    let _ = tokio::time::timeout(Duration::from_secs(10), dead).await;
}

pub(crate) async fn state(shared: &Arc<Shared>, arn: &str, call: &Call) -> Reply {
    if let Err(refusal) = check_signature(shared, call) {
        return Some(refuse(&refusal));
    }
    let fault = shared.change(|state| state.state_faults.next());
    let token = call.parameter("CheckpointToken").unwrap_or_default();
    let marker = call.parameter("Marker");
    let most = call
        .parameter("MaxItems")
        .and_then(|text| text.parse().ok());
    let way = go(shared, fault.as_ref()).await;
    let answer = shared.change(|state| {
        let answer = match way {
            Way::On(_) => Some(match state.executions.get_mut(arn) {
                Some(execution) => execution.state(&token, marker.as_deref(), most),
                None => Err(unknown(arn)),
            }),
            Way::Refused(refusal) => Some(Err(refusal)),
            Way::HungUp => None,
        };
        let given = answer.as_ref().and_then(|answer| answer.as_ref().ok());
        let given = given.and_then(|body| body["Operations"].as_array());
        let end = match &answer {
            Some(Err(refusal)) => faulted(fault.as_ref(), CallEnd::Refused(refusal.clone())),
            _ => faulted(fault.as_ref(), CallEnd::Accepted),
        };
        state.record.states.push(StateCall {
            token,
            marker,
            most,
            given: given.map_or(0, Vec::len),
            end,
        });
        answer
    });
    reply(answer?, fault.as_ref())
}

fn check_signature(shared: &Arc<Shared>, call: &Call) -> Result<(), Refusal> {
    let credentials = shared.lock().config.credentials();
    let request = signature::Request {
        method: call.method.as_str(),
        path: &call.path,
        query: &call.query,
        headers: &call.headers,
        body: &call.body,
    };
    signature::verify(&request, &credentials).map_err(|why| {
        let stray = format!("{} {}: {why}", call.method, call.path);
        shared.change(|state| state.record.strays.push(stray));
        Refusal::new(403, "InvalidSignatureException", json!(why).to_string())
    })
}
