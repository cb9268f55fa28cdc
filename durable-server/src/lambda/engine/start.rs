//! Starts executions.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::{Engine, Slot};
use crate::lambda::clock;
use crate::lambda::db::{self, Row, Write, Written};
use crate::lambda::registry::Found;
use crate::lambda::service::{Ending, Execution, NewExecution, Parent, Refusal};

/// Attempts to use a name that other executions take and release, and the pause between them.
const ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(10);

/// Request to start an execution.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub(crate) function: &'a Found,
    pub(crate) input: String,
    pub(crate) name: Option<String>,
    /// Id of a chained execution; others get a random one.
    pub(crate) id: Option<String>,
    pub(crate) asynchronous: bool,
    pub(crate) parent: Option<Parent>,
    pub(crate) tenant: Option<String>,
    pub(crate) trace: Option<String>,
}

/// Started execution, or the existing one with its name.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) arn: String,
    /// Whether it did not exist before.
    #[cfg(feature = "serve")]
    pub(crate) is_new: bool,
    state: Running,
}

#[derive(Debug)]
enum Running {
    Slot(Arc<Slot>),
    Ended(Ending),
}

impl Started {
    pub(super) fn is_running(&self) -> bool {
        matches!(&self.state, Running::Slot(_))
    }

    /// Waits for the end.
    pub(crate) async fn ended(self) -> Option<Ending> {
        match self.state {
            Running::Slot(slot) => slot.ended().await,
            Running::Ended(ending) => Some(ending),
        }
    }
}

impl Engine {
    /// Starts an execution, or returns the existing one with its name.
    pub(crate) async fn start(self: &Arc<Self>, start: Start<'_>) -> Result<Started, Refusal> {
        let function = &start.function.pool.function;
        let random = || Uuid::new_v4().to_string();
        let new = NewExecution {
            id: start.id.unwrap_or_else(random),
            name: start.name.unwrap_or_else(random),
            function: start.function.pool.name.clone(),
            function_arn: start.function.arn.clone(),
            version: start.function.version.clone(),
            input: start.input,
            secret: Uuid::new_v4().simple().to_string(),
            timeout_seconds: function.execution_timeout.into(),
            retention_days: function.retention_days,
            asynchronous: start.asynchronous,
            parent: start.parent,
            tenant: start.tenant,
            trace: start.trace,
        };
        for _ in 0..ATTEMPTS {
            if let Some(started) = self.add(new.clone()).await? {
                return Ok(started);
            }
            if let Some(existing) = self.existing(&new).await? {
                return Ok(existing);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(Refusal::internal(
            "the name of the execution is contended: try again",
        ))
    }

    /// Adds an execution and starts its task, unless its name is taken.
    async fn add(self: &Arc<Self>, new: NewExecution) -> Result<Option<Started>, Refusal> {
        let mut execution = Execution::new(new, self.limits, self.moment());
        let changes = execution.take_changes();
        let changes = changes.map_err(|error| Refusal::internal(error.to_string()))?;
        let key = self.next_key();
        let (row, id) = (Row::of(&execution.head), execution.head.id.clone());
        let arn = execution.head.arn.clone();
        // On a separate task, so that the execution gets its task even if the caller disconnects.
        let engine = Arc::clone(self);
        let added = tokio::spawn(async move {
            let written = engine.db.write(Write::Add { key, row, changes }).await?;
            if written == Written::NameTaken {
                return Ok(None);
            }
            let slot = Slot::new(key, execution);
            engine.slots().insert(id, Arc::clone(&slot));
            engine.drive(Arc::clone(&slot));
            Ok::<_, Refusal>(Some(slot))
        });
        let added = added.await;
        let slot = added.map_err(|error| Refusal::internal(error.to_string()))??;
        Ok(slot.map(|slot| Started {
            arn,
            #[cfg(feature = "serve")]
            is_new: true,
            state: Running::Slot(slot),
        }))
    }

    async fn existing(&self, new: &NewExecution) -> Result<Option<Started>, Refusal> {
        let (function, name) = (new.function.clone(), new.name.clone());
        let found = self.db.read(move |conn| db::named(conn, &function, &name));
        let Some(named) = found.await? else {
            return Ok(None);
        };
        if named.expires.is_some_and(|expires| expires <= clock::now()) {
            self.db.write(Write::Delete { key: named.key }).await?;
            return Ok(None);
        }
        let gone = || Refusal::not_found("the execution has just been removed");
        let found = self.read(&named.id, gone, |execution, _| {
            let head = &execution.head;
            let same = head.version == new.version && execution.input() == new.input;
            Ok((same, head.arn.clone(), head.ending.clone()))
        });
        let (same, arn, ending) = match found.await {
            Err(refusal) if refusal.status == 404 => return Ok(None),
            found => found?,
        };
        if !same {
            return Err(Refusal::new(
                409,
                "DurableExecutionAlreadyStartedException",
                format!("Execution already started: {arn}"),
            ));
        }
        let state = match (ending, self.slot(&named.id)) {
            (Some(ending), _) => Running::Ended(ending),
            (None, Some(slot)) => Running::Slot(slot),
            // It is just starting or ending.
            (None, None) => return Ok(None),
        };
        Ok(Some(Started {
            arn,
            #[cfg(feature = "serve")]
            is_new: false,
            state,
        }))
    }
}
