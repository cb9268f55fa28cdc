//! The executions of the local Lambda as a store, for the page and its API.
//!
//! Methods that only workers call are unsupported: functions use the durable API.

mod start;
mod translate;

use std::sync::Arc;
use std::time::Duration;

use durable_core::store::{
    Ack, AdminStore, Batch, CallbackId, CallbackStore, Capabilities, Change, CheckpointStore,
    Durability, Execution, ExecutionStore, Fence, Filter, Lease, MessageStore, NewExecution, Order,
    Page, QueueState, QueueStore, ScheduleEntry, ScheduleStore, Started, StoreError,
    StoreErrorKind, WorkStore,
};
use durable_core::{BoxFuture, Client, Completion, ExecutionId, Record, Timestamp};

use super::db::{self, AllFilter, Write};
use super::engine::Engine;
use super::service::{CallbackOutcome, ErrorObject, Refusal, token};
use crate::http::Guard;
use crate::{Access, Options, Token};

/// Pause between two reads of an execution that is waited for.
const PACE: Duration = Duration::from_millis(200);

/// Default length of a listing.
const PAGE: usize = 100;

/// The store.
#[derive(Debug, Clone)]
struct LambdaStore(Arc<Engine>);

/// Routes of the page and its API; none if the access key cannot be used as a token.
pub(super) fn page(engine: &Arc<Engine>) -> Option<axum::Router> {
    let access = match &engine.guard {
        Guard::Loopback => Access::Loopback,
        Guard::AccessKey(key) => {
            let secret = engine.secret_key.as_ref().unwrap_or(key);
            Access::Token(Token::new(secret).ok()?)
        }
    };
    let options = Options {
        access,
        ..Options::default()
    };
    let client = Client::new(LambdaStore(Arc::clone(engine)));
    Some(crate::serve::lambda_router(client, options))
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

fn unsupported<'a, T: Send + 'static>(what: &'static str) -> Answer<'a, T> {
    let text = format!("{what} is not supported for executions of the local Lambda");
    Box::pin(async move { Err(StoreError::new(StoreErrorKind::Unsupported, text)) })
}

fn failed(refusal: Refusal) -> StoreError {
    let kind = match refusal.status {
        404 => StoreErrorKind::NotFound,
        400 | 409 => StoreErrorKind::Conflict,
        429 => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Corrupt,
    };
    StoreError::new(kind, refusal.message)
}

fn missing(id: &ExecutionId) -> impl FnOnce() -> Refusal + use<> {
    let text = format!("there is no execution `{id}`");
    || Refusal::not_found(text)
}

/// The service's own id: the last part of an id on the page, and of an ARN.
fn own(id: &str) -> &str {
    id.rsplit_once('/').map_or(id, |(_, own)| own)
}

impl LambdaStore {
    async fn read(&self, id: &ExecutionId) -> Result<(Execution, Vec<Record>), StoreError> {
        let read = self.0.read(own(id.as_str()), missing(id), |execution, _| {
            match translate::id(&execution.head) == id.as_str() {
                true => Ok((translate::whole(execution), translate::records(execution))),
                false => Err(missing(id)()),
            }
        });
        read.await.map_err(failed)
    }

    async fn alter(
        &self,
        id: &ExecutionId,
        change: impl FnOnce(
            &mut super::service::Execution,
            super::service::Moment,
        ) -> Result<(), Refusal>,
    ) -> Result<(), StoreError> {
        self.read(id).await?;
        let changed = self.0.change(own(id.as_str()), missing(id), change);
        changed.await.map_err(failed)
    }

    async fn delete(&self, id: &ExecutionId) -> Result<(), StoreError> {
        let looked = self
            .0
            .read(own(id.as_str()), missing(id), |execution, key| {
                let open = execution.is_running() || execution.invocation().is_some();
                Ok((!open).then_some(key))
            });
        let Some(key) = looked.await.map_err(failed)? else {
            let text = format!("execution `{id}` has not ended: cancel it first");
            return Err(StoreError::new(StoreErrorKind::Conflict, text));
        };
        let deleted = self.0.db.write(Write::Delete { key }).await;
        deleted.map_err(|error| failed(error.into())).map(|_| ())
    }
}

impl CheckpointStore for LambdaStore {
    fn load<'a>(&'a self, _: &'a Fence, _: u64) -> Answer<'a, Page> {
        unsupported("loading under a lease")
    }

    fn checkpoint<'a>(&'a self, _: &'a Fence, _: Arc<Batch>) -> Answer<'a, Ack> {
        unsupported("a checkpoint")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::unlimited(Durability::Process)
    }
}

impl ExecutionStore for LambdaStore {
    fn start(&self, new: NewExecution) -> Answer<'_, Started> {
        Box::pin(start::start(&self.0, new))
    }

    fn claim<'a>(&'a self, _: &'a ExecutionId, _: Timestamp, _: Duration) -> Answer<'a, Lease> {
        unsupported("a claim")
    }

    fn renew<'a>(&'a self, _: &'a Fence, _: Timestamp, _: Duration) -> Answer<'a, ()> {
        unsupported("a lease")
    }

    fn get<'a>(&'a self, id: &'a ExecutionId) -> Answer<'a, Execution> {
        Box::pin(async move { Ok(self.read(id).await?.0) })
    }

    fn changed<'a>(&'a self, id: &'a ExecutionId, seen: u64) -> Answer<'a, ()> {
        Box::pin(async move {
            loop {
                let execution = self.read(id).await?.0;
                if execution.status.is_settled() || execution.changes > seen {
                    return Ok(());
                }
                tokio::time::sleep(PACE).await;
            }
        })
    }

    fn cancel<'a>(&'a self, id: &'a ExecutionId, _: Timestamp) -> Answer<'a, ()> {
        let stop = |execution: &mut super::service::Execution, at| {
            execution.stop(None, at);
            Ok(())
        };
        Box::pin(self.alter(id, stop))
    }
}

impl AdminStore for LambdaStore {
    fn list(&self, filter: Filter) -> Answer<'_, Vec<Execution>> {
        Box::pin(async move {
            if filter.queue.is_some() || !filter.labels.is_empty() {
                return Ok(Vec::new());
            }
            let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
            let wanted = AllFilter {
                function: filter.handler.clone(),
                statuses: translate::words(&filter),
                prefix: filter.prefix.clone(),
                after: filter.after.as_ref().map(ToString::to_string),
                started_from: millis(filter.created_from),
                started_before: millis(filter.created_before),
                newest: matches!(filter.order, Order::Newest { .. }),
                older_than: match &filter.order {
                    Order::Newest {
                        after: Some((time, id)),
                    } => Some((time.as_millis(), id.to_string())),
                    _ => None,
                },
                most: if filter.limit == 0 {
                    PAGE
                } else {
                    filter.limit
                },
            };
            let ids = self.0.db.read(move |conn| db::all(conn, &wanted)).await;
            let mut executions = Vec::new();
            for id in ids.map_err(|error| failed(error.into()))? {
                let whole =
                    |execution: &super::service::Execution, _| Ok(translate::whole(execution));
                let gone = || Refusal::not_found(String::new());
                match self.0.read(&id, gone, whole).await {
                    Ok(execution) => executions.push(execution),
                    // Removed meanwhile.
                    Err(refusal) if refusal.status == 404 => {}
                    Err(refusal) => return Err(failed(refusal)),
                }
            }
            executions.retain(|execution| {
                let updated = filter.updated_before;
                updated.is_none_or(|before| execution.updated_at < before)
            });
            Ok(executions)
        })
    }

    fn history<'a>(&'a self, id: &'a ExecutionId) -> Answer<'a, Vec<Record>> {
        Box::pin(async move { Ok(self.read(id).await?.1) })
    }

    fn change<'a>(&'a self, id: &'a ExecutionId, change: Change, _: Timestamp) -> Answer<'a, ()> {
        match change {
            Change::Pause => {
                Box::pin(self.alter(id, |execution, at| execution.pause(None, None, true, at)))
            }
            Change::Resume => {
                Box::pin(self.alter(id, |execution, at| execution.resume(None, None, at)))
            }
            Change::Delete => Box::pin(self.delete(id)),
            _ => unsupported("a retry"),
        }
    }
}

impl CallbackStore for LambdaStore {
    fn complete<'a>(
        &'a self,
        callback: &'a CallbackId,
        outcome: Completion,
        _: Timestamp,
    ) -> Answer<'a, ()> {
        let outcome = match outcome {
            Completion::Succeed(value) => {
                let text = String::from_utf8_lossy(&value.data).into_owned();
                CallbackOutcome::Succeeded(Some(text))
            }
            Completion::Fail(error) => {
                CallbackOutcome::Failed(ErrorObject::message(error.message()))
            }
        };
        Box::pin(async move {
            let id = translate::service_callback(callback);
            let operation = token::callback_target(id).map(|(_, operation)| operation);
            let operation = operation.unwrap_or_default();
            let complete = |execution: &mut super::service::Execution, at| {
                execution.complete_callback(&operation, id, outcome, at)
            };
            self.alter(callback.execution(), complete).await
        })
    }

    fn heartbeat<'a>(&'a self, callback: &'a CallbackId, _: Timestamp) -> Answer<'a, ()> {
        Box::pin(async move {
            let id = translate::service_callback(callback);
            let operation = token::callback_target(id).map(|(_, operation)| operation);
            let operation = operation.unwrap_or_default();
            let beat = |execution: &mut super::service::Execution, at| {
                execution.heartbeat(&operation, id, at)
            };
            self.alter(callback.execution(), beat).await
        })
    }
}

impl WorkStore for LambdaStore {}

impl MessageStore for LambdaStore {}

impl QueueStore for LambdaStore {
    fn queues(&self) -> Answer<'_, Vec<QueueState>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

impl ScheduleStore for LambdaStore {
    fn schedules(&self, _: Option<Timestamp>) -> Answer<'_, Vec<ScheduleEntry>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
