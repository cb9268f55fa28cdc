//! `invoke!`: another execution.

use std::any::type_name;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::body;
use super::callee::{Given, InputCodec, OutputCodec, given};
use super::child::{Child, expected};
use super::coder::Coder;
use crate::model::codec::{Codec, Json, Reads};
use crate::model::error::{ErrorKind, InvokeError, OperationError};
use crate::model::record::Payload;
use crate::model::site::Handler;
use crate::run::{Awaited, Runner, waits_for};
use crate::runtime::context::{Answer, CancelSignal, Children, Claim};
use crate::store::{NewExecution, Parent};
use crate::{BoxFuture, ExecutionId, client};

/// How another execution is started, and how values get there and back.
#[derive(Debug)]
pub struct Invoking<C, D> {
    codec: C,
    input_codec: D,
    tenant: Option<String>,
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

/// Starts `handler` as an execution of its own, exactly once, and waits for its end.
///
/// `durable::run` runs it in this process with the caller's state. So does a worker that the handler
/// is not registered with; where it is, any worker does. When the execution that waits is
/// cancelled, so is the one it waits for.
pub fn invoke<'a, S, F, H, C, D>(
    claim: Claim<'a>,
    state: &'a S,
    _handler: F,
    input: H::Input,
    how: Invoking<C, D>,
) -> BoxFuture<'a, Result<H::Output, InvokeError>>
where
    S: Sync,
    F: FnOnce() -> H,
    H: Handler<S>,
    C: OutputCodec<H, Codec: 'a>,
    D: InputCodec<H>,
{
    let input_type = Some(type_name::<H::Input>());
    let child = start(
        &claim,
        (H::NAME, input_type),
        &input,
        how.input_codec.input_codec(),
        how.tenant,
    );
    let coder = Coder::new(how.codec.output_codec());
    Box::pin(async move {
        if let Some((children, id)) = expected(&claim, child?).await
            && children.settings.runs_here(H::NAME)
        {
            let cancelled = Arc::clone(&claim.shared().cancelled);
            let child = run_child::<S, H>(children, state, id.clone(), cancelled);
            if let Some(report) = body::drive(&claim, child).await {
                let report = Some(waits_for(&id, H::NAME, &report));
                claim.lock().children.push(Awaited { id, report });
            }
            claim.ask();
        }
        // Output and code are of this project: where they do not fit, one of the two builds is the wrong one.
        match claim.decide().await {
            Answer::Recorded(outcome) => {
                let read = coder.read_result(outcome);
                claim.readable(read).await
            }
            Answer::Run => std::future::pending().await,
        }
    })
}

/// Starts the function of this name and waits for its end. Somebody else has to run it.
pub fn invoke_named<'a, I, O, C, D>(
    claim: Claim<'a>,
    function: String,
    input: I,
    how: Invoking<C, D>,
) -> BoxFuture<'a, Result<O, InvokeError>>
where
    O: Send + 'a,
    C: Reads<O> + Send + Sync + 'a,
    D: Codec<I>,
{
    let child = start(
        &claim,
        (function, None),
        &input,
        how.input_codec,
        how.tenant,
    );
    let coder = Coder::new(how.codec);
    Box::pin(async move {
        expected(&claim, child?).await;
        match claim.decide().await {
            Answer::Recorded(outcome) => coder.decode_foreign(&claim, outcome),
            Answer::Run => std::future::pending().await,
        }
    })
}

/// Queues the START, which starts the other execution in the same write. Answers with the execution
/// that still has to come to its end.
fn start<I, D: Codec<I>>(
    claim: &Claim<'_>,
    (handler, input_type): (impl Into<String>, Option<&'static str>),
    input: &I,
    codec: D,
    tenant: Option<String>,
) -> Result<Option<Child>, InvokeError> {
    let mut state = claim.lock();
    let now = state.engine.believe(claim.now());
    if !state.engine.begins_child(claim.op) {
        let handle = state.engine.handle(claim.op);
        let id = handle.and_then(|id| id.parse().ok());
        return Ok(id.map(|id| Child { id, new: false }));
    }
    if state.engine.is_ending() {
        return Ok(None);
    }
    if tenant.is_some() && !state.engine.limits().tenants {
        let message = "this store knows no tenants: leave the option `tenant` out";
        let path = state.engine.path(claim.op);
        return Err(OperationError::new(path, ErrorKind::Failed, message));
    }
    let execution = claim.cx.execution().id();
    let unusable = |message: String| {
        OperationError::new(state.engine.path(claim.op), ErrorKind::Codec, message)
    };
    let id: ExecutionId = format!("{execution}.{}", state.engine.id(claim.op))
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
        let path = state.engine.path(claim.op);
        return Err(OperationError::new(path, ErrorKind::TooLarge, message));
    }
    let seq = state.engine.number(claim.op);
    let mut child = NewExecution::new(id.clone(), handler, input, now);
    child.tenant = tenant;
    child.input_type = input_type.map(Into::into);
    let child = child.for_parent(Parent {
        execution: execution.clone(),
        seq,
        operation: state.engine.id(claim.op),
    });
    state.engine.start_child(claim.op, child, now);
    Ok(Some(Child { id, new: true }))
}

/// In a box, so that a durable function may invoke itself. When the execution that waits is
/// cancelled, so is this one.
fn run_child<'a, S, H>(
    children: Children,
    state: &'a S,
    id: ExecutionId,
    cancelled: Arc<CancelSignal>,
) -> BoxFuture<'a, Option<String>>
where
    S: Sync,
    H: Handler<S>,
{
    let store = Arc::clone(&children.store);
    let now = children.settings.now();
    let runner = Runner::<H, S> {
        store: children.store,
        settings: children.settings,
        state,
        handler: PhantomData,
    };
    Box::pin(async move {
        let mut run = pin!(runner.finish(id.clone()));
        let mut cancelled = pin!(cancelled.raised());
        let ended = poll_fn(|cx| match run.as_mut().poll(cx) {
            Poll::Ready(report) => Poll::Ready(Some(report)),
            Poll::Pending => cancelled.as_mut().poll(cx).map(|()| None),
        });
        if let Some(report) = ended.await {
            return report;
        }
        if let Err(error) = client::cancel(&*store, id.clone(), now).await {
            tracing::warn!(execution = %id, %error, "not cancelled with the execution that waits for it");
        }
        run.await
    })
}
