//! Starting an execution, and waiting for its end.

use std::future::IntoFuture;
use std::marker::PhantomData;

use super::Client;
use crate::model::payload::Payload;
use crate::run::{Outcome, RunError, check_same, decode_output, outcome};
use crate::runtime::handler::Durable;
use crate::runtime::handler::HandlerInput;
use crate::store::{Execution, NewExecution, QueueEntry, Started, refuse_sealed};
use crate::{BoxFuture, ExecutionId, InvalidExecutionId, Timestamp};

/// An execution that is put together and then started by awaiting it. Made by [`Client::start`].
#[must_use = "nothing is started until this is awaited"]
pub struct Start<H> {
    client: Client,
    id: String,
    input: Result<Vec<u8>, String>,
    at: Option<Timestamp>,
    queue: Option<QueueEntry>,
    key: Option<String>,
    priority: i32,
    handler: PhantomData<fn() -> H>,
}

impl<H: Durable> Start<H> {
    pub(super) fn new(client: &Client, id: String, input: &H::Input) -> Self {
        let input = input
            .to_json()
            .map_err(|error| format!("the input of `{}` cannot be encoded: {error}", H::NAME));
        Self {
            client: client.clone(),
            id,
            input,
            at: None,
            queue: None,
            key: None,
            priority: 0,
            handler: PhantomData,
        }
    }
}

impl<H: Durable> Start<H> {
    /// Not before this time.
    pub fn at(mut self, time: impl Into<Timestamp>) -> Self {
        self.at = Some(time.into());
        self
    }

    /// It waits in this queue until the queue lets it run.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.queue = Some(QueueEntry::new(name));
        self
    }

    /// Whom it is for, where its queue limits how many run for each.
    pub fn key(mut self, key: impl ToString) -> Self {
        self.key = Some(key.to_string());
        self
    }

    /// Executions of a higher priority leave the queue before those of a lower one. Zero unless told
    /// otherwise.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    async fn send(self) -> Result<Handle<H>, RunError> {
        let usage = |error: InvalidExecutionId| RunError::Usage(error.to_string());
        let id: ExecutionId = self.id.parse().map_err(usage)?;
        let input = Payload::json(self.input.map_err(RunError::Codec)?);
        let queue = match self.queue {
            Some(place) => Some(QueueEntry {
                key: self.key,
                priority: self.priority,
                ..place
            }),
            None if self.key.is_some() || self.priority != 0 => {
                let text = "a key or a priority says something within a queue only: name it with `.queue(…)`";
                return Err(RunError::Usage(text.to_owned()));
            }
            None => None,
        };
        let new = NewExecution {
            start_at: self.at,
            queue,
            input_type: Some(std::any::type_name::<H::Input>().into()),
            ..NewExecution::new(id.clone(), H::NAME, input, self.client.clock.now())
        };
        self.client.start_known(new, H::manifest().was).await?;
        Ok(Handle::new(&self.client, id))
    }
}

impl<H: Durable> IntoFuture for Start<H> {
    type Output = Result<Handle<H>, RunError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// An execution of a known handler, wherever it runs.
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

    /// The execution's id.
    pub fn id(&self) -> &ExecutionId {
        &self.id
    }

    /// How far it has come.
    ///
    /// # Errors
    ///
    /// [`RunError::Store`].
    pub async fn describe(&self) -> Result<Execution, RunError> {
        Ok(self.client.store.get(&self.id).await?)
    }
}

impl<H: Durable> Handle<H> {
    /// Waits for the end of the execution, or of the one that goes on in its place, and answers with
    /// its output.
    ///
    /// # Errors
    ///
    /// [`RunError::Failed`] when it ended with an error or was cancelled, [`RunError::Blocked`] as soon
    /// as it is blocked (wait again to wait for what comes after), [`RunError::Codec`] when the output
    /// is of another type, [`RunError::Store`].
    pub async fn result(&self) -> Result<H::Output, RunError> {
        decode_output(&self.client.outcome(&self.id).await?)
    }
}

impl Client {
    /// Starts an execution of a handler that is known by name only, unless there is one of the same
    /// handler and input with this id already.
    ///
    /// # Errors
    ///
    /// [`RunError::IdInUse`] when the id stands for another handler or input, [`RunError::Store`].
    pub async fn start_new(&self, new: NewExecution) -> Result<Started, RunError> {
        self.start_known(new, &[]).await
    }

    async fn start_known(&self, new: NewExecution, was: &[&str]) -> Result<Started, RunError> {
        let started = self.store.start(new.clone()).await?;
        if let Started::Existing(execution) = &started {
            refuse_sealed(execution, &[])?;
            check_same(execution, &new, was)?;
        }
        Ok(started)
    }

    /// Waits for the end of an execution, or of the one that goes on in its place, and answers with
    /// its encoded output. See [`Handle::result`].
    ///
    /// # Errors
    ///
    /// Those of [`Handle::result`].
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
                Outcome::Goes => self.store.changed(&id, execution.changes).await?,
            }
        }
    }
}
