//! Starts executions as an asynchronous `Invoke` with a name does.

use std::sync::Arc;

use durable_core::store::{NewExecution, Started, StoreError, StoreErrorKind};

use super::{failed, own, translate};
use crate::lambda::engine::{Engine, Start};
use crate::lambda::service::{MAX_CHAINED, Refusal, check_execution_name};

pub(super) async fn start(engine: &Arc<Engine>, new: NewExecution) -> Result<Started, StoreError> {
    if new.start_at.is_some() || new.queue.is_some() || !new.labels.is_empty() {
        let why =
            "executions of Lambda functions have no queue, labels or time of start: leave them out";
        return Err(StoreError::new(StoreErrorKind::Unsupported, why));
    }
    let found = engine
        .registry
        .find(&new.handler, Some("$LATEST"))
        .map_err(failed)?;
    if !found.pool.function.durable {
        let why = format!(
            "the function `{}` is not durable and has no executions: use `Invoke`",
            new.handler
        );
        return Err(StoreError::new(StoreErrorKind::Conflict, why));
    }
    let name = new.id.to_string();
    check_execution_name(&name).map_err(failed)?;
    let size = new.input.len();
    if size > MAX_CHAINED {
        let why = format!(
            "the input takes {size} bytes, and an asynchronous invocation takes at most {MAX_CHAINED}"
        );
        return Err(StoreError::new(StoreErrorKind::TooLarge, why));
    }
    let started = engine.start(Start {
        function: &found,
        input: String::from_utf8_lossy(&new.input.data).into_owned(),
        name: Some(name),
        id: None,
        asynchronous: true,
        parent: None,
        tenant: None,
        trace: None,
    });
    let started = started.await.map_err(failed)?;
    let gone = || Refusal::not_found("the execution has just been removed");
    let read = |execution: &_, _| Ok(translate::whole(execution));
    let execution = engine.read(own(&started.arn), gone, read).await;
    let execution = execution.map_err(failed)?;
    Ok(match started.is_new {
        true => Started::Created(execution),
        false => Started::Existing(execution),
    })
}
