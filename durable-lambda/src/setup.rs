//! Builder of a Lambda function, and its invocation loop.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use durable_core::store::Capabilities;
use durable_core::{BoxError, Durable, Handler, IntoHandler, Timestamp};
use lambda_runtime::{Context, Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;
use tracing::{Instrument, Span};

use crate::client::Client;
use crate::invocation::{InvocationError, respond};
use crate::log::Log;
use crate::store::capabilities;
use crate::wire::Output;
use crate::xray;

/// The service's default quota of operations per execution.
const MAX_OPERATIONS: u64 = 3000;

/// Settings and client shared by all invocations of a function.
pub(crate) struct Setup {
    client: Result<Arc<Client>, String>,
    pub(crate) functions: Arc<HashMap<String, String>>,
    pub(crate) reserve: Option<Duration>,
    max_operations: u64,
}

impl Setup {
    pub(crate) fn client(&self) -> Result<Arc<Client>, InvocationError> {
        self.client.clone().map_err(|message| InvocationError {
            kind: "NotOnLambda",
            message,
        })
    }

    pub(crate) fn limits(&self) -> Capabilities {
        capabilities(self.max_operations)
    }
}

/// Builder of a Lambda function. Created by [`function`].
#[must_use = "a function does nothing until `run` is called"]
pub struct Function<H, S> {
    state: S,
    functions: HashMap<String, String>,
    reserve: Option<Duration>,
    max_operations: u64,
    log: Log,
    handler: PhantomData<fn() -> H>,
}

/// Creates a builder of a Lambda function that runs `handler`.
///
/// ```no_run
/// # use durable_core as durable;
/// # async fn f<H: durable::Handler<()> + durable::Durable<Input = u32, Output = u32>>(etl: fn() -> H) -> Result<(), durable::BoxError> {
/// durable_lambda::function(etl)
///     .function("charge", "arn:aws:lambda:eu-central-1:123456789012:function:charge:live")
///     .run()
///     .await
/// # }
/// ```
pub fn function<F: IntoHandler>(_handler: F) -> Function<F::Handler, ()> {
    Function {
        state: (),
        functions: HashMap::new(),
        reserve: None,
        max_operations: MAX_OPERATIONS,
        log: Log::from_env(),
        handler: PhantomData,
    }
}

/// Runs `handler` with `state` as a Lambda function. Call it from `main`, in a binary named `bootstrap`.
///
/// Waits, retries and callbacks suspend the execution, and the service starts the next invocation. An invocation that
/// runs out of time ends between two bodies, and the next one resumes from there. `tracing` events are written to
/// Lambda's log, once however often the execution resumes: see [`Log`](crate::log::Log).
///
/// # Errors
///
/// Returns an error outside a Lambda environment, or when the runtime API is unreachable. Outcomes of executions,
/// failures included, are reported to the service instead.
pub async fn run<F, S>(handler: F, state: S) -> Result<(), BoxError>
where
    F: IntoHandler,
    F::Handler: Handler<S>,
    S: Send + Sync + 'static,
{
    function(handler).state(state).run().await
}

impl<H: Durable, S> Function<H, S> {
    /// Sets the state that the handler takes by reference. All invocations of this process share it.
    pub fn state<T>(self, state: T) -> Function<H, T> {
        Function {
            state,
            functions: self.functions,
            reserve: self.reserve,
            max_operations: self.max_operations,
            log: self.log,
            handler: PhantomData,
        }
    }

    /// Maps the durable function `handler` to the Lambda function that `invoke!` calls for it, by qualified ARN.
    ///
    /// Without a mapping, the handler's name is used as the function's name.
    pub fn function(mut self, handler: impl Into<String>, arn: impl Into<String>) -> Self {
        self.functions.insert(handler.into(), arn.into());
        self
    }

    /// Sets how long before its deadline an invocation stops starting bodies.
    ///
    /// The default is a tenth of the invocation's time, at most five seconds.
    pub fn reserve(mut self, time: Duration) -> Self {
        self.reserve = Some(time);
        self
    }

    /// Sets how many operations the service allows per execution. The default is 3 000.
    ///
    /// Call sites beyond the limit fail with [`TooLarge`](durable_core::ErrorKind::TooLarge); the execution itself does
    /// not.
    pub fn max_operations(mut self, operations: u64) -> Self {
        self.max_operations = operations;
        self
    }

    /// Sets how log lines are written. The default is [`Log::from_env`].
    ///
    /// It has no effect in a program that has already installed a subscriber.
    pub fn log(mut self, log: Log) -> Self {
        self.log = log;
        self
    }

    /// Runs invocations until Lambda stops the process.
    ///
    /// # Errors
    ///
    /// The same as for [`run`].
    pub async fn run(self) -> Result<(), BoxError>
    where
        H: Handler<S>,
        S: Send + Sync + 'static,
    {
        if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
            return Err(format!(
                "`{}` is not running on Lambda: `AWS_LAMBDA_RUNTIME_API` is not set. Use `durable::run` to run it in \
                 this process",
                H::NAME
            )
            .into());
        }
        self.log.install();
        let setup = Setup {
            client: Client::from_env()
                .map(Arc::new)
                .map_err(|error| error.to_string()),
            functions: Arc::new(self.functions),
            reserve: self.reserve,
            max_operations: self.max_operations,
        };
        let shared = Arc::new((setup, self.state));
        let service = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
            let shared = Arc::clone(&shared);
            async move { handle_invocation::<H, S>(event, &shared.0, &shared.1).await }
        });
        Runtime::new(service).run_concurrent().await
    }
}

async fn handle_invocation<H, S>(
    event: LambdaEvent<Box<RawValue>>,
    setup: &Setup,
    state: &S,
) -> Result<Output, InvocationError>
where
    S: Sync,
    H: Handler<S>,
{
    let LambdaEvent { payload, context } = event;
    let deadline = i64::try_from(context.deadline).unwrap_or(i64::MAX);
    let span = invocation_span(&context);
    let deadline = Timestamp::from_millis(deadline);
    let response = respond::<H, S>(payload.get(), deadline, setup, state)
        .instrument(span)
        .await;
    match &response {
        Ok(output) => tracing::debug!(status = output.status(), "invocation finished"),
        Err(error) => tracing::error!(error = error.message, "invocation failed"),
    }
    response
}

/// Creates the span of an invocation. Lambda's trace header is its parent.
fn invocation_span(context: &Context) -> Span {
    let span = tracing::info_span!(
        "invocation",
        request_id = %context.request_id,
        tenant_id = context.tenant_id.as_deref(),
    );
    if let Some(parent) = xray::parent(context.xray_trace_id.as_deref()) {
        parent.set_parent_of(&span);
    }
    span
}

impl From<InvocationError> for Diagnostic {
    fn from(error: InvocationError) -> Self {
        Self {
            error_type: error.kind.to_owned(),
            error_message: error.message,
        }
    }
}

#[cfg(test)]
mod tests {
    use durable_core::TraceParent;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn spans_of_an_invocation_continue_the_trace_of_its_header() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer);
        let _installed = tracing::subscriber::set_default(subscriber);
        let mut context = Context::default();
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        context.xray_trace_id = Some(header.to_owned());
        let span = invocation_span(&context);
        let execution = span.in_scope(|| tracing::info_span!("execution"));
        for span in [&span, &execution] {
            let position = TraceParent::of(span).unwrap();
            assert_eq!(position.trace_id(), "5759e988bd862e3fe1be46a994272793");
        }
    }
}
