//! Starting executions and awaiting their results.

use std::future::IntoFuture;
use std::marker::PhantomData;

use serde::Serialize;

use super::Client;
use super::send::deliver;
use super::transaction::Target;
use crate::metrics;
use crate::model::codec;
use crate::model::payload::Payload;
use crate::run::{Outcome, RunError, check_same, decode_output, outcome};
use crate::runtime::handler::Durable;
use crate::runtime::handler::HandlerInput;
use crate::store::{
    Execution, NewExecution, NewMessage, OwnTransactions, QueueEntry, Started, StoreErrorKind,
    TransactionStore, refuse_sealed,
};
use crate::{
    BoxFuture, Clock, ExecutionId, InvalidExecutionId, InvalidLabel, Labels, Timestamp, TraceParent,
};

/// Execution to start, with its options. Created by [`Client::start`] and started by awaiting it. `'t` is the lifetime of a
/// transaction of the caller.
#[must_use = "nothing is started until this is awaited"]
pub struct Start<'t, H> {
    client: Client,
    pub(super) target: Target<'t>,
    id: String,
    input: Result<Vec<u8>, String>,
    at: Option<Timestamp>,
    queue: Option<QueueEntry>,
    key: Option<String>,
    priority: i32,
    trace: Option<TraceParent>,
    labels: Result<Labels, InvalidLabel>,
    /// Names and encoded values.
    messages: Vec<(String, Result<Vec<u8>, String>)>,
    message_id: Option<String>,
    handler: PhantomData<fn() -> H>,
}

impl<H: Durable> Start<'static, H> {
    pub(super) fn new(client: &Client, id: String, input: &H::Input) -> Self {
        let input = input
            .to_json()
            .map_err(|error| format!("the input of `{}` cannot be encoded: {error}", H::NAME));
        Self {
            client: client.clone(),
            target: Target::Own,
            id,
            input,
            at: None,
            queue: None,
            key: None,
            priority: 0,
            trace: None,
            labels: Ok(Labels::new()),
            messages: Vec::new(),
            message_id: None,
            handler: PhantomData,
        }
    }
}

impl<'t, H: Durable> Start<'t, H> {
    /// Sets the earliest time at which it runs.
    pub fn at(mut self, time: impl Into<Timestamp>) -> Self {
        self.at = Some(time.into());
        self
    }

    /// Puts it into this queue.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.queue = Some(QueueEntry::new(name));
        self
    }

    /// Sets the key by which its queue limits concurrency.
    pub fn key(mut self, key: impl ToString) -> Self {
        self.key = Some(key.to_string());
        self
    }

    /// Sets the priority. Executions with a higher priority leave the queue first. The default is zero.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the trace that its invocations continue, as the header `traceparent` of a request. An invalid header is
    /// logged at level `DEBUG` and ignored. By default, the trace of the current span, with the feature `otel`.
    pub fn trace(mut self, header: &str) -> Self {
        self.trace = TraceParent::from_header(header);
        self
    }

    /// Adds a label, which listings and selections can filter by. Replaces one with the same key. [`Labels`] has the
    /// limits.
    ///
    /// Executions that it invokes, and those that continue it, have the same labels. Starting an existing execution
    /// again does not change its labels.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels = self.labels.and_then(|labels| labels.with(key, value));
        self
    }

    /// Sends a message to the execution, for its `receive!` of this name: to the one that is there, or else to the one
    /// that this call starts. Either the execution is started with the message waiting, or not at all. The value is encoded
    /// as JSON.
    ///
    /// An execution that has ended takes no message: the error is a [`Conflict`](crate::store::StoreErrorKind::Conflict)
    /// of [`RunError::Store`]. A message to a chain goes to its last execution. A store without messages answers
    /// [`Unsupported`](crate::store::StoreErrorKind::Unsupported), and nothing is started.
    ///
    /// ```
    /// # use durable_core::{BoxError, Client, Durable, IntoHandler};
    /// # async fn f<H>(client: Client, cart: impl IntoHandler<Handler = H>) -> Result<(), BoxError>
    /// # where H: Durable<Input = (), Output = u32> {
    /// client
    ///     .start(cart, "cart-7", ())
    ///     .message("add", "a book")
    ///     .message_id("click 12")
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn message<T: Serialize + ?Sized>(mut self, name: impl Into<String>, value: &T) -> Self {
        let name = name.into();
        let value = codec::encode_one_way(value)
            .map_err(|error| format!("the message `{name}` cannot be encoded as JSON: {error}"));
        self.messages.push((name, value));
        self
    }

    /// Sets the id of the [message](Self::message). An execution takes each id once, so a call whose fate is unknown can
    /// be repeated with the same id. Without one, every call sends a new message.
    pub fn message_id(mut self, id: impl Into<String>) -> Self {
        self.message_id = Some(id.into());
        self
    }

    /// Returns the message to send.
    fn take_message(&mut self) -> Result<Option<NewMessage>, RunError> {
        let usage = |text: &str| Err(RunError::Usage(text.to_owned()));
        let id = self.message_id.take();
        match (self.messages.pop(), self.messages.is_empty()) {
            (None, _) if id.is_some() => {
                usage("the id of a message needs a message: set one with `.message(…)`")
            }
            (None, _) => Ok(None),
            (Some(_), false) => {
                usage("a start takes one message: send the others with `Client::send`")
            }
            (Some((name, value)), true) => {
                let payload = Payload::json(value.map_err(RunError::Codec)?);
                Ok(Some(NewMessage::given(id, name, payload)?))
            }
        }
    }

    async fn send(mut self) -> Result<Handle<H>, RunError> {
        let message = self.take_message()?;
        let usage = |error: InvalidExecutionId| RunError::Usage(error.to_string());
        let id: ExecutionId = self.id.parse().map_err(usage)?;
        let input = Payload::json(self.input.map_err(RunError::Codec)?);
        let invalid = |error: InvalidLabel| RunError::Usage(error.to_string());
        let labels = self.labels.map_err(invalid)?;
        let queue = match self.queue {
            Some(entry) => Some(QueueEntry {
                key: self.key,
                priority: self.priority,
                ..entry
            }),
            None if self.key.is_some() || self.priority != 0 => {
                let text = "a key or a priority needs a queue: set one with `.queue(…)`";
                return Err(RunError::Usage(text.to_owned()));
            }
            None => None,
        };
        let new = NewExecution {
            start_at: self.at,
            queue,
            trace: self.trace,
            labels,
            input_type: Some(std::any::type_name::<H::Input>().into()),
            ..NewExecution::new(id.clone(), H::NAME, input, self.client.clock.now())
        };
        let was = H::manifest().was;
        let store = self.target.store(&self.client)?;
        match message {
            None => start_known(&*store, new, was).await?,
            Some(message) => {
                start_or_send(&*store, new, message, (was, &*self.client.clock)).await?
            }
        };
        drop(store);
        Ok(Handle::new(&self.client, id))
    }
}

impl<'t, H: Durable> IntoFuture for Start<'t, H> {
    type Output = Result<Handle<H>, RunError>;
    type IntoFuture = BoxFuture<'t, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Handle to an execution of a known handler, wherever it runs.
pub struct Handle<H> {
    client: Client,
    id: ExecutionId,
    handler: PhantomData<fn() -> H>,
}

impl<H> Clone for Handle<H> {
    fn clone(&self) -> Self {
        Self::new(&self.client, self.id.clone())
    }
}

impl<H> std::fmt::Debug for Handle<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Handle").field(&self.id).finish()
    }
}

impl<H> Handle<H> {
    pub(super) fn new(client: &Client, id: ExecutionId) -> Self {
        Self {
            client: client.clone(),
            id,
            handler: PhantomData,
        }
    }

    /// Returns the id of the execution.
    pub fn id(&self) -> &ExecutionId {
        &self.id
    }

    /// Returns the current state of the execution.
    ///
    /// # Errors
    ///
    /// [`RunError::Store`] if the store fails or there is no such execution.
    pub async fn describe(&self) -> Result<Execution, RunError> {
        Ok(self.client.store.get(&self.id).await?)
    }
}

impl<H: Durable> Handle<H> {
    /// Waits for the end of the execution, or of the last one of its chain, and returns its output.
    ///
    /// # Errors
    ///
    /// [`RunError::Failed`] if it ended with an error or was cancelled. [`RunError::Blocked`] as soon as it is
    /// blocked; call `result` again to keep waiting. [`RunError::Codec`] if the output has another type.
    /// [`RunError::Store`].
    pub async fn result(&self) -> Result<H::Output, RunError> {
        decode_output(&self.client.outcome(&self.id).await?)
    }
}

/// Checks that an existing execution is the requested one.
fn check_started(started: &Started, new: &NewExecution, was: &[&str]) -> Result<(), RunError> {
    match started {
        Started::Created(_) => metrics::execution_started(&new.handler),
        Started::Existing(execution) => {
            refuse_sealed(execution, &[])?;
            check_same(execution, new, was)?;
        }
    }
    Ok(())
}

async fn start_known(
    store: &dyn TransactionStore,
    mut new: NewExecution,
    was: &[&str],
) -> Result<Started, RunError> {
    new.trace = new.trace.or_else(TraceParent::current);
    let started = store.start(new.clone()).await?;
    check_started(&started, &new, was)?;
    Ok(started)
}

async fn start_or_send(
    store: &dyn TransactionStore,
    mut new: NewExecution,
    message: NewMessage,
    (was, clock): (&[&str], &dyn Clock),
) -> Result<Started, RunError> {
    new.trace = new.trace.or_else(TraceParent::current);
    loop {
        let started = store.start_with_message(new.clone(), message.clone());
        let started = started.await?;
        check_started(&started, &new, was)?;
        let Started::Existing(execution) = &started else {
            return Ok(started);
        };
        match deliver(store, execution.id.clone(), &message, clock.now()).await {
            // It was removed in between, so it is started anew.
            Err(error) if error.kind() == StoreErrorKind::NotFound => {}
            sent => return Ok(sent.map(|()| started)?),
        }
    }
}

impl Client {
    /// Starts an execution of a handler given by name, unless there is already one with the same id, handler
    /// and input.
    ///
    /// # Errors
    ///
    /// [`RunError::IdInUse`] if the id belongs to another handler or input, [`RunError::Store`].
    pub async fn start_new(&self, new: NewExecution) -> Result<Started, RunError> {
        start_known(&OwnTransactions(&self.store), new, &[]).await
    }

    /// Starts an execution of a handler given by name with a message waiting for it, or sends the message to the existing
    /// execution with the same id, handler and input. See [`Start::message`].
    ///
    /// # Errors
    ///
    /// Those of [`start_new`](Self::start_new), after which nothing was sent, and in [`RunError::Store`] those of
    /// [`send`](Self::send).
    pub async fn start_new_with_message(
        &self,
        new: NewExecution,
        message: NewMessage,
    ) -> Result<Started, RunError> {
        start_or_send(
            &OwnTransactions(&self.store),
            new,
            message,
            (&[], &*self.clock),
        )
        .await
    }

    /// Waits for the end of an execution, or of the last one of its chain, and returns its encoded output. See
    /// [`Handle::result`].
    ///
    /// # Errors
    ///
    /// Errors of [`Handle::result`].
    pub async fn outcome(&self, id: &ExecutionId) -> Result<Payload, RunError> {
        let mut id = id.clone();
        loop {
            let execution = self.store.get(&id).await?;
            match outcome(&execution) {
                Outcome::Ended(ended) => {
                    refuse_sealed(&execution, &[])?;
                    return ended;
                }
                Outcome::Next(next) => id = next,
                Outcome::Blocked(report) => return Err(RunError::Blocked(report)),
                Outcome::Running => self.store.changed(&id, execution.changes).await?,
            }
        }
    }
}
