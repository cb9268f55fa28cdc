//! How a function is set up, and its loop.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use durable_core::store::Capabilities;
use durable_core::{BoxError, Durable, Handler, IntoHandler, Timestamp};
use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;
use tracing::Instrument;

use crate::client::Client;
use crate::invocation::{Failed, answer};
use crate::log::Log;
use crate::store::capabilities;
use crate::wire::Output;

/// Operations that one execution may have, as the service's quotas say.
const MAX_OPERATIONS: u64 = 3000;

/// What the invocations of a function share.
pub(crate) struct Setup {
    client: Result<Arc<Client>, String>,
    pub(crate) functions: Arc<HashMap<String, String>>,
    pub(crate) reserve: Option<Duration>,
    max_operations: u64,
}

impl Setup {
    pub(crate) fn client(&self) -> Result<Arc<Client>, Failed> {
        self.client.clone().map_err(|message| Failed {
            kind: "NotOnLambda",
            message,
        })
    }

    pub(crate) fn limits(&self) -> Capabilities {
        capabilities(self.max_operations)
    }
}

/// A Lambda function that is put together and then run. Made by [`function`].
#[must_use = "a function does nothing until it is run"]
pub struct Function<H, S> {
    state: S,
    functions: HashMap<String, String>,
    reserve: Option<Duration>,
    max_operations: u64,
    log: Log,
    handler: PhantomData<fn() -> H>,
}

/// A Lambda function that runs `handler`.
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

/// Runs `handler` with `state` as a Lambda function: for `main`, in a binary named `bootstrap`.
///
/// Waits, retries and callbacks suspend: the service begins the next invocation. Before the time of an
/// invocation is up, it ends between two bodies and the next one goes on. What is logged with `tracing`
/// goes to Lambda's log, once however often an execution is resumed: see [`Log`](crate::log::Log).
///
/// # Errors
///
/// When this is no Lambda environment, or the runtime API is gone. What becomes of executions is
/// answered to the service.
pub async fn run<F, S>(handler: F, state: S) -> Result<(), BoxError>
where
    F: IntoHandler,
    F::Handler: Handler<S>,
    S: Send + Sync + 'static,
{
    function(handler).state(state).run().await
}

impl<H: Durable, S> Function<H, S> {
    /// The state that the handler takes by reference, one for all invocations of this process.
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

    /// Which Lambda function `invoke!` of the durable function `handler` stands for: the qualified ARN
    /// of one that runs it. Without this, the handler's name is taken for the function's.
    pub fn function(mut self, handler: impl Into<String>, arn: impl Into<String>) -> Self {
        self.functions.insert(handler.into(), arn.into());
        self
    }

    /// How much of an invocation's time is held back for its end: no body begins then. A tenth, at most
    /// five seconds, unless told otherwise.
    pub fn reserve(mut self, time: Duration) -> Self {
        self.reserve = Some(time);
        self
    }

    /// How many operations the service allows in one execution: 3 000 unless told otherwise. Call sites
    /// beyond that fail with [`TooLarge`](durable_core::ErrorKind::TooLarge) instead of the execution.
    pub fn max_operations(mut self, operations: u64) -> Self {
        self.max_operations = operations;
        self
    }

    /// How log lines are written: as the function is configured unless told otherwise. A program that sets
    /// up a subscriber of its own keeps it.
    pub fn log(mut self, log: Log) -> Self {
        self.log = log;
        self
    }

    /// Runs invocations for as long as Lambda sends them.
    ///
    /// # Errors
    ///
    /// Those of [`run`].
    pub async fn run(self) -> Result<(), BoxError>
    where
        H: Handler<S>,
        S: Send + Sync + 'static,
    {
        if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
            return Err(format!(
                "`{}` is not running on Lambda: `AWS_LAMBDA_RUNTIME_API` is not set. To run it in this process use \
                 `durable::run`",
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
            async move { invoked::<H, S>(event, &shared.0, &shared.1).await }
        });
        Runtime::new(service).run_concurrent().await
    }
}

async fn invoked<H, S>(
    event: LambdaEvent<Box<RawValue>>,
    setup: &Setup,
    state: &S,
) -> Result<Output, Failed>
where
    S: Sync,
    H: Handler<S>,
{
    let LambdaEvent { payload, context } = event;
    let deadline = i64::try_from(context.deadline).unwrap_or(i64::MAX);
    let span = tracing::info_span!(
        "invocation",
        request_id = %context.request_id,
        tenant_id = context.tenant_id.as_deref(),
    );
    let deadline = Timestamp::from_millis(deadline);
    let answered = answer::<H, S>(payload.get(), deadline, setup, state)
        .instrument(span)
        .await;
    match &answered {
        Ok(output) => tracing::debug!(status = output.status(), "invocation answered"),
        Err(failed) => tracing::error!(error = failed.message, "invocation failed"),
    }
    answered
}

impl From<Failed> for Diagnostic {
    fn from(failed: Failed) -> Self {
        Self {
            error_type: failed.kind.to_owned(),
            error_message: failed.message,
        }
    }
}
