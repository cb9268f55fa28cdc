//! Starts an execution with the beginning of another one's history.

mod plan;

use std::future::IntoFuture;

use serde::Serialize;

use super::Client;
use crate::model::codec;
use crate::model::payload::Payload;
use crate::run::{RunError, check_same};
use crate::store::{
    Execution, ForkedFrom, NewExecution, Started, StoreError, StoreErrorKind, refuse_sealed,
};
use crate::{BoxFuture, ExecutionId, InvalidExecutionId};
use plan::{Part, part};

/// Fork with its options. Created by [`Client::fork`] and started by awaiting it.
#[must_use = "nothing is forked until this is awaited"]
pub struct Fork {
    client: Client,
    from: ExecutionId,
    id: String,
    point: Point,
    input: Option<Result<Payload, String>>,
}

/// End of the part of a history that is taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Point {
    /// All of it.
    End,
    /// What started before the operation with this path.
    Before(String),
    /// What started before the end of this operation or scope, including it.
    After(String),
}

impl Client {
    /// Starts an execution whose history begins with that of another one, up to an operation. What it takes over is
    /// not run again. The other execution is not changed, whatever its state.
    ///
    /// Handler, queue and labels are those of the other execution; id and start time are new. A worker runs it.
    ///
    /// # What is taken over
    ///
    /// Operations that have ended, with their outcomes. Everything else is left out and runs live: steps and polls in
    /// progress start again, timers start again with their whole time, invoked executions that have not ended are
    /// started again with ids of their own, and steps whose `undo` has begun run again. A `callback!` with `submit` is
    /// submitted again. Any other callback that still waits is an error, because its id may be known to someone
    /// who would answer the other execution only: fork before it.
    ///
    /// The `undo` bodies of steps that were taken over belong to both executions. If both fail, both undo them.
    ///
    /// # Repetition
    ///
    /// The fork is one write. Repeating it with the same execution, id, operation and input changes nothing.
    ///
    /// ```
    /// # async fn f(client: durable_core::Client) -> Result<(), durable_core::BoxError> {
    /// let id = "order-7".parse()?;
    /// client.fork(&id, "order-7-again").before("ship").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::Usage`] for an invalid id, [`RunError::Codec`] for an input that cannot be encoded,
    /// [`RunError::IdInUse`] if the new id belongs to another execution, [`RunError::Store`] if there is no such
    /// execution or operation ([`StoreErrorKind::NotFound`]) or it cannot be forked there
    /// ([`StoreErrorKind::Conflict`]).
    pub fn fork(&self, id: &ExecutionId, new_id: impl Into<String>) -> Fork {
        Fork {
            client: self.clone(),
            from: id.clone(),
            id: new_id.into(),
            point: Point::End,
            input: None,
        }
    }
}

impl Fork {
    /// Takes over what started before the operation with this path of display names (`load[3]`,
    /// `files[a.csv]/parse`).
    pub fn before(mut self, path: impl Into<String>) -> Self {
        self.point = Point::Before(path.into());
        self
    }

    /// Takes over the operation with this path, everything in it, and what started before its end. It must have
    /// ended.
    pub fn after(mut self, path: impl Into<String>) -> Self {
        self.point = Point::After(path.into());
        self
    }

    /// Sets another input, encoded as JSON. What was taken over keeps the outcomes that followed from the
    /// earlier one.
    pub fn input<T: Serialize + ?Sized>(mut self, input: &T) -> Self {
        let encoded = codec::encode_one_way(input).map(Payload::json);
        self.input = Some(encoded.map_err(|error| error.to_string()));
        self
    }

    /// Sets another input that is encoded already.
    pub fn encoded_input(mut self, input: Payload) -> Self {
        self.input = Some(Ok(input));
        self
    }

    async fn send(self) -> Result<Started, RunError> {
        let usage = |error: InvalidExecutionId| RunError::Usage(error.to_string());
        let id: ExecutionId = self.id.parse().map_err(usage)?;
        let input = self.input.transpose().map_err(|error| {
            RunError::Codec(format!("the input of the fork cannot be encoded: {error}"))
        })?;
        let store = &*self.client.store;
        let origin = store.get(&self.from).await?;
        let records = store.history(&self.from).await?;
        refuse_sealed(&origin, &records)?;
        let Part { records, seq } = part(&records, &self.point, self.client.clock.now())
            .map_err(|refusal| refusal.of(&self.from))?;
        let mut new = NewExecution::new(id, origin.handler, origin.input, self.client.clock.now());
        new.input_type = origin.input_type;
        if let Some(input) = input {
            (new.input, new.input_type) = (input, None);
        }
        (new.queue, new.labels) = (origin.queue, origin.labels);
        new.forked_from = Some(Box::new(ForkedFrom {
            execution: self.from,
            seq,
            records: records.len() as u64,
        }));
        let started = store.fork(new.clone(), records).await?;
        if let Started::Existing(execution) = &started {
            refuse_sealed(execution, &[])?;
            check_same(execution, &new, &[])?;
            check_same_origin(execution, &new, &self.point)?;
        }
        Ok(started)
    }
}

/// Checks that an existing execution is the same fork. The end of a history moves while its execution runs.
fn check_same_origin(
    existing: &Execution,
    requested: &NewExecution,
    point: &Point,
) -> Result<(), RunError> {
    let what = match (&existing.forked_from, &requested.forked_from) {
        (Some(found), Some(wanted)) if found.execution == wanted.execution => {
            if *point == Point::End || found.seq == wanted.seq {
                return Ok(());
            }
            format!(
                "was forked from `{}` after record {}, not {}",
                found.execution, found.seq, wanted.seq
            )
        }
        (Some(found), _) => format!("was forked from `{}`", found.execution),
        (None, _) => "was not forked".to_owned(),
    };
    Err(RunError::IdInUse(format!(
        "execution `{}` exists and {what}; choose another id",
        existing.id
    )))
}

/// Reason why an execution cannot be forked.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// There is no such operation.
    NotFound(String),
    /// The operations do not allow it.
    Conflict(String),
}

impl Refusal {
    fn of(self, id: &ExecutionId) -> StoreError {
        let (kind, why) = match self {
            Self::NotFound(why) => (StoreErrorKind::NotFound, why),
            Self::Conflict(why) => (StoreErrorKind::Conflict, why),
        };
        StoreError::new(kind, format!("execution `{id}` cannot be forked: {why}"))
    }
}

impl IntoFuture for Fork {
    type Output = Result<Started, RunError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
