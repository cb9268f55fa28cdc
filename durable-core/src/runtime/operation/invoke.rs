//! `invoke!`: another execution.

use super::bound_codec::BoundCodec;
use super::callee::{Given, given};
use super::child::{Child, expected};
use crate::model::codec::{Codec, Json, Reads};
use crate::model::error::{ErrorKind, InvokeError, OperationError};
use crate::model::payload::Payload;
use crate::runtime::registered::{Answer, Operation};
use crate::store::{NewExecution, Parent};
use crate::{BoxFuture, ExecutionId};

/// How another execution is started, and how values get there and back.
#[derive(Debug)]
pub struct Invoking<C, D> {
    pub(crate) codec: C,
    pub(crate) input_codec: D,
    pub(crate) tenant: Option<String>,
}

/// Input and result as JSON.
pub fn invoking() -> Invoking<Json, Json> {
    Invoking {
        codec: Json,
        input_codec: Json,
        tenant: None,
    }
}

impl<C, D> Invoking<C, D> {
    /// Reads the result with this codec, whatever wrote it.
    pub fn codec<E>(self, codec: E) -> Invoking<Given<E>, D> {
        Invoking {
            codec: given(codec),
            input_codec: self.input_codec,
            tenant: self.tenant,
        }
    }

    /// Writes the input with this codec.
    pub fn input_codec<E>(self, input_codec: E) -> Invoking<C, Given<E>> {
        Invoking {
            codec: self.codec,
            input_codec: given(input_codec),
            tenant: self.tenant,
        }
    }

    /// Starts it for this tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: String) -> Self {
        self.tenant = Some(tenant);
        self
    }
}

/// Starts the function of this name and waits for its end. Somebody else has to run it.
pub fn invoke_named<'a, I, O, C, D>(
    operation: Operation<'a>,
    function: String,
    input: I,
    how: Invoking<C, D>,
) -> BoxFuture<'a, Result<O, InvokeError>>
where
    O: Send + 'a,
    C: Reads<O> + Send + Sync + 'a,
    D: Codec<I>,
{
    let child = start_child(
        &operation,
        (function, None),
        &input,
        how.input_codec,
        how.tenant,
    );
    let coder = BoundCodec::new(how.codec);
    Box::pin(async move {
        expected(&operation, child?).await;
        match operation.decide().await {
            Answer::Recorded(outcome) => coder.decode_foreign(&operation, outcome),
            Answer::Run => std::future::pending().await,
        }
    })
}

/// Queues the START, which starts the other execution in the same write. Answers with the execution
/// that still has to come to its end.
pub(crate) fn start_child<I, D: Codec<I>>(
    operation: &Operation<'_>,
    (handler, input_type): (impl Into<String>, Option<&'static str>),
    input: &I,
    codec: D,
    tenant: Option<String>,
) -> Result<Option<Child>, InvokeError> {
    let mut state = operation.lock();
    let now = state.engine.believe(operation.now());
    if !state.engine.begins_child(operation.op) {
        let handle = state.engine.handle(operation.op);
        let id = handle.and_then(|id| id.parse().ok());
        return Ok(id.map(|id| Child { id, new: false }));
    }
    if state.engine.is_ending() {
        return Ok(None);
    }
    if tenant.is_some() && !state.engine.limits().tenants {
        let message = "this store knows no tenants: leave the option `tenant` out";
        let path = state.engine.path(operation.op);
        return Err(OperationError::new(path, ErrorKind::Failed, message));
    }
    let execution = operation.cx.execution().id();
    let unusable = |message: String| {
        OperationError::new(state.engine.path(operation.op), ErrorKind::Codec, message)
    };
    let id: ExecutionId = format!("{execution}.{}", state.engine.id(operation.op))
        .parse()
        .map_err(|error: crate::InvalidExecutionId| unusable(error.to_string()))?;
    let input = Payload {
        codec: codec.name().into(),
        data: crate::runtime::panic::catch(|| codec.encode(input))
            .unwrap_or_else(|panic| Err(panic.into()))
            .map_err(|error| unusable(format!("its input cannot be encoded: {error}")))?
            .into(),
    };
    let (size, limit) = (input.len(), state.engine.limits().max_input);
    if size > limit {
        let message = format!(
            "its input of {size} bytes is over the store's limit of {limit}: keep the bulk elsewhere and pass where it is"
        );
        let path = state.engine.path(operation.op);
        return Err(OperationError::new(path, ErrorKind::TooLarge, message));
    }
    let seq = state.engine.number(operation.op);
    let mut child = NewExecution::new(id.clone(), handler, input, now);
    child.tenant = tenant;
    child.input_type = input_type.map(Into::into);
    let child = child.for_parent(Parent {
        execution: execution.clone(),
        seq,
        operation: state.engine.id(operation.op),
    });
    state.engine.start_child(operation.op, child, now);
    Ok(Some(Child { id, new: true }))
}
