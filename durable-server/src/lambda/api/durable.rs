//! Operations on one execution.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use serde::Deserialize;
use serde_json::json;

use super::request::Call;
use super::response::json_text;
use crate::lambda::clock;
use crate::lambda::db::Write;
use crate::lambda::engine::Engine;
use crate::lambda::service::{
    CheckpointRequest, ErrorObject, Execution, Refusal, check_client_token, check_reason,
    page_size, seconds,
};

/// Body of `PauseDurableExecution` and `ResumeDurableExecution`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct PauseRequest {
    client_token: Option<String>,
    reason: Option<String>,
    execution_timeout_paused: Option<bool>,
}

/// Returns the execution id, the last part of an ARN.
pub(super) fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

pub(super) fn missing(arn: &str) -> Refusal {
    Refusal::not_found(format!("Durable execution not found: {arn}"))
}

/// Checks the parts of an ARN other than the id.
pub(super) fn check_arn(execution: &Execution, arn: &str) -> Result<(), Refusal> {
    match execution.head.arn == arn {
        true => Ok(()),
        false => Err(missing(arn)),
    }
}

pub(super) async fn checkpoint(
    engine: &Arc<Engine>,
    arn: &str,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let Some(request) = call.json::<CheckpointRequest>()? else {
        let constraint = "Member must not be null";
        return Err(Refusal::validation("checkpointToken", "null", constraint));
    };
    let answer = engine.change(
        id_of(arn),
        || missing(arn),
        |execution, at| {
            check_arn(execution, arn)?;
            execution.checkpoint(&request, &engine.registry, at)
        },
    );
    Ok(json_text(200, answer.await?))
}

pub(super) async fn state(
    engine: &Arc<Engine>,
    arn: &str,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let token = call.parameter("CheckpointToken").unwrap_or_default();
    let most = page_size(call.parameter("MaxItems"))?;
    let page = engine.read(
        id_of(arn),
        || missing(arn),
        |execution, _| {
            check_arn(execution, arn)?;
            execution.state(token, call.parameter("Marker"), most)
        },
    );
    Ok(json_text(200, page.await?))
}

pub(super) async fn get(
    engine: &Arc<Engine>,
    arn: &str,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let with_data = call.flag("IncludeExecutionData", true)?;
    let described = engine.read(
        id_of(arn),
        || missing(arn),
        |execution, _| {
            check_arn(execution, arn)?;
            Ok(execution.describe(with_data))
        },
    );
    Ok(json_text(200, described.await?.to_string()))
}

pub(super) async fn stop(
    engine: &Arc<Engine>,
    arn: &str,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let error = call.json::<ErrorObject>()?;
    let stopped = engine.change(
        id_of(arn),
        || missing(arn),
        |execution, at| {
            check_arn(execution, arn)?;
            execution.stop(error, at);
            let ended = execution.head.ending.as_ref();
            Ok(ended.map_or(at.now, |ending| ending.at))
        },
    );
    let body = json!({ "StopTimestamp": seconds(stopped.await?) });
    Ok(json_text(200, body.to_string()))
}

pub(super) async fn pause(
    engine: &Arc<Engine>,
    arn: &str,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let request = pause_request(call)?;
    let paused = engine.change(
        id_of(arn),
        || missing(arn),
        |execution, at| {
            check_arn(execution, arn)?;
            let timeout = request.execution_timeout_paused.unwrap_or(true);
            execution.pause(request.client_token, request.reason, timeout, at)
        },
    );
    paused.await?;
    Ok(json_text(202, "{}"))
}

pub(super) async fn resume(
    engine: &Arc<Engine>,
    arn: &str,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let request = pause_request(call)?;
    let resumed = engine.change(
        id_of(arn),
        || missing(arn),
        |execution, at| {
            check_arn(execution, arn)?;
            execution.resume(request.client_token, request.reason, at)
        },
    );
    resumed.await?;
    Ok(json_text(202, "{}"))
}

fn pause_request(call: &Call) -> Result<PauseRequest, Refusal> {
    let request = call.json::<PauseRequest>()?.unwrap_or_default();
    if let Some(token) = &request.client_token {
        check_client_token(token)?;
    }
    if let Some(reason) = &request.reason {
        check_reason(reason)?;
    }
    Ok(request)
}

pub(super) async fn delete(engine: &Arc<Engine>, arn: &str) -> Result<Response<Body>, Refusal> {
    let found = engine.read(
        id_of(arn),
        || missing(arn),
        |execution, key| {
            check_arn(execution, arn)?;
            Ok((
                key,
                execution.is_running() || execution.invocation().is_some(),
            ))
        },
    );
    let (key, running) = found.await?;
    if running {
        let text = "A durable execution can be deleted only after it has ended.";
        return Err(Refusal::conflict(text));
    }
    engine.db.write(Write::Delete { key }).await?;
    let body = json!({ "DeletionRequestTimestamp": seconds(clock::now()) });
    Ok(json_text(202, body.to_string()))
}
