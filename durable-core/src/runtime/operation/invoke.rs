//! `invoke!`: starts another execution and waits for its result.

use super::bound_codec::BoundCodec;
use super::callee::{CustomCodec, custom_codec};
use super::child::{Child, expected};
use crate::model::codec::{Codec, Json, Reads};
use crate::model::error::{ErrorKind, InvokeError, OperationError};
use crate::model::payload::Payload;
use crate::runtime::registered::{Answer, Operation};
use crate::store::{NewExecution, Parent};
use crate::{BoxFuture, ExecutionId, TraceParent};

/// Options of an `invoke!`.
#[derive(Debug)]
pub struct Invoking<C, D> {
    pub(crate) codec: C,
    pub(crate) input_codec: D,
    pub(crate) tenant: Option<String>,
}

/// Creates default options: input and result as JSON.
pub fn invoking() -> Invoking<Json, Json> {
    Invoking {
        codec: Json,
        input_codec: Json,
        tenant: None,
    }
}

impl<C, D> Invoking<C, D> {
    /// Sets the codec that reads the result, whichever wrote it.
    pub fn codec<E>(self, codec: E) -> Invoking<CustomCodec<E>, D> {
        Invoking {
            codec: custom_codec(codec),
            input_codec: self.input_codec,
            tenant: self.tenant,
        }
    }

    /// Sets the codec that writes the input.
    pub fn input_codec<E>(self, input_codec: E) -> Invoking<C, CustomCodec<E>> {
        Invoking {
            codec: self.codec,
            input_codec: custom_codec(input_codec),
            tenant: self.tenant,
        }
    }

    /// Sets the tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: String) -> Self {
        self.tenant = Some(tenant);
        self
    }
}

/// Starts the function with this name and waits for its result. Another process has to run it.
pub fn invoke_named<'a, I, O, C, D>(
    operation: Operation<'a>,
    function: String,
    input: I,
    options: Invoking<C, D>,
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
        options.input_codec,
        options.tenant,
    );
    let codec = BoundCodec::new(options.codec);
    Box::pin(async move {
        expected(&operation, child?).await;
        match operation.decide().await {
            Answer::Recorded(outcome) => codec.decode_foreign(&operation, outcome),
            Answer::Run => std::future::pending().await,
        }
    })
}

/// Queues the START, which also starts the other execution. Returns that execution if it has not ended.
pub(crate) fn start_child<I, D: Codec<I>>(
    operation: &Operation<'_>,
    (handler, input_type): (impl Into<String>, Option<&'static str>),
    input: &I,
    codec: D,
    tenant: Option<String>,
) -> Result<Option<Child>, InvokeError> {
    let mut state = operation.lock();
    let now = state.engine.advance_clock(operation.now());
    if !state.engine.must_start_child(operation.op) {
        let handle = state.engine.handle(operation.op);
        let id = handle.and_then(|id| id.parse().ok());
        return Ok(id.map(|id| Child { id, new: false }));
    }
    if state.engine.is_ending() {
        return Ok(None);
    }
    if tenant.is_some() && !state.engine.limits().tenants {
        let message = "this store does not support tenants: leave out the option `tenant`";
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
            "its input of {size} bytes is over the store's limit of {limit}: store large data elsewhere and pass where it is"
        );
        let path = state.engine.path(operation.op);
        return Err(OperationError::new(path, ErrorKind::TooLarge, message));
    }
    let seq = state.engine.number(operation.op);
    let mut child = NewExecution::new(id.clone(), handler, input, now);
    child.tenant = tenant;
    child.labels = operation.cx.execution().labels().clone();
    child.input_type = input_type.map(Into::into);
    child.trace = TraceParent::of(operation.cx.span());
    let child = child.for_parent(Parent {
        execution: execution.clone(),
        seq,
        operation: state.engine.id(operation.op),
    });
    state.engine.start_child(operation.op, child, now);
    Ok(Some(Child { id, new: true }))
}
