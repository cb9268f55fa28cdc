//! Store wrapper that seals values.

#[cfg(feature = "aes-gcm")]
mod aes_gcm;
mod codec;
mod limits;
mod seal;
#[cfg(test)]
mod tests;
mod transaction;
mod walk;

use crate::store::forward_store;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "aes-gcm")]
pub use aes_gcm::AesGcm;
pub use codec::{IntoCodec, PayloadCodec, SealContext, Subject};
use seal::{Location, Sealer};
pub(crate) use transaction::seal_within;

use super::{
    Ack, AdminStore, Batch, CallbackId, CallbackStore, Capabilities, Change, CheckpointStore,
    ClaimRequest, Claimed, Execution, ExecutionStore, ExecutionUpdate, Fence, Filter, Firing,
    Lease, Message, MessageStore, NewExecution, NewMessage, Page, Parent, QueueStore, Rewind,
    ScheduleEntry, ScheduleStore, Started, StoreError, StoreErrorKind, WorkStore, WorkerFilter,
};
use crate::model::record::{Completion, Record};
use crate::store::{IntoStore, Store};
use crate::{BoxFuture, ExecutionId, Timestamp};

/// Delay before an execution is due again whose codec this store lacks. Another worker may have the codec.
const MISSING_CODEC_DELAY: Duration = Duration::from_secs(60);

/// Wrapper of a store that seals values, errors and reports before they are stored, and opens them when they are
/// read.
///
/// Values are sealed with the first codec. A sealed value is opened with the codec whose name is recorded with it, and
/// a value that is not sealed is returned as it is. To rotate keys, put the new key in front of the old
/// one: existing executions continue.
///
/// # Sealed data
///
/// Sealed are the values of operations, including the outcomes of callbacks, the inputs and outputs of executions, the
/// texts of errors, and the reports of blocked executions. Callbacks have to be completed through a sealed store too.
///
/// Not sealed are the ids and labels of executions, and the names, keys, labels, types, source locations, times and statuses of
/// operations, because stores and tools search by them. Do not put secrets into keys or labels.
///
/// If the codec authenticates [`SealContext::associated_data`], a value only opens where it was sealed. The outcome of
/// an invoked execution opens in that execution and in the operation that invoked it.
///
/// # Limitations
///
/// * A sealed store does not detect that an older outcome of the same operation was restored, or that a record was
///   removed.
/// * Sealing runs on the thread that polls the store.
///
/// # Limits and errors
///
/// The limits in [`capabilities`](CheckpointStore::capabilities) are those of the inner store, reduced by the size that
/// sealing adds.
///
/// A value that cannot be opened fails the call: with [`StoreErrorKind::Unusable`] if its codec was not given, and with
/// [`StoreErrorKind::Corrupt`] if the codec refuses it. An execution whose input cannot be opened is not claimed.
/// [`list`](AdminStore::list) returns such executions as they are stored, so that one lost key does not hide
/// the others. [`get`](ExecutionStore::get) reports the error.
///
/// ```
/// # use durable_core::BoxError;
/// # use durable_core::store::SealContext;
/// use durable_core::store::{MemoryStore, PayloadCodec, SealedStore};
///
/// # struct Veil(&'static str, u8);
/// # impl PayloadCodec for Veil {
/// #     fn name(&self) -> &str {
/// #         self.0
/// #     }
/// #     fn seal(&self, _: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
/// #         Ok(bytes.iter().map(|byte| byte ^ self.1).collect())
/// #     }
/// #     fn open(&self, context: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
/// #         self.seal(context, bytes)
/// #     }
/// #     fn sealed_len(&self, len: usize) -> usize {
/// #         len
/// #     }
/// # }
/// let (new, old) = (Veil("veil:2", 0x5a), Veil("veil:1", 0x17));
/// let store = SealedStore::new(MemoryStore::new(), [new, old])?;
/// # let _ = store;
/// # Ok::<(), durable_core::store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct SealedStore {
    inner: Arc<dyn Store>,
    sealer: Arc<Sealer>,
}

impl SealedStore {
    /// Wraps `inner`. Values are sealed with the first of `codecs`, and opened with any of them.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Unusable`] if there is no codec, or if the name of a codec is invalid or
    /// used twice.
    pub fn new(
        inner: impl IntoStore,
        codecs: impl IntoIterator<Item = impl IntoCodec>,
    ) -> Result<Self, StoreError> {
        let codecs = codecs.into_iter().map(IntoCodec::into_codec).collect();
        Ok(Self {
            inner: inner.into_store(),
            sealer: Arc::new(Sealer::new(codecs)?),
        })
    }

    /// Makes the store refuse values that are not sealed, with [`StoreErrorKind::Corrupt`].
    ///
    /// Otherwise an attacker who can write to the inner store could replace sealed values with unsealed ones. Only
    /// for stores that have been sealed from the start.
    #[must_use]
    pub fn sealed_only(self) -> Self {
        Self {
            sealer: Arc::new(self.sealer.strict()),
            inner: self.inner,
        }
    }
}

impl SealedStore {
    /// Opens the answer to a start.
    fn opened(&self, started: Started) -> Result<Started, StoreError> {
        Ok(match started {
            Started::Created(execution) => Started::Created(self.sealer.open_execution(execution)?),
            Started::Existing(execution) => {
                Started::Existing(self.sealer.open_execution(execution)?)
            }
        })
    }

    /// Releases the lease of an execution that cannot be opened: it is blocked if its data is corrupt,
    /// otherwise suspended for another worker. The report contains no sealed text.
    async fn release(
        &self,
        fence: &Fence,
        error: &StoreError,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tracing::warn!(execution = %fence.execution, %error, "execution cannot be opened and does not run");
        let update = match error.kind() {
            StoreErrorKind::Corrupt => ExecutionUpdate::Block {
                report: error.to_string(),
            },
            _ => ExecutionUpdate::Suspend {
                wake_at: Some(now.after(MISSING_CODEC_DELAY)),
            },
        };
        match self.inner.checkpoint(fence, Batch::release(update)).await {
            Err(error) if error.kind() != StoreErrorKind::FenceLost => Err(error),
            _ => Ok(()),
        }
    }

    fn seal_message(
        &self,
        to: &ExecutionId,
        message: NewMessage,
    ) -> Result<NewMessage, StoreError> {
        self.capabilities().admit_input(&message.payload)?;
        let location = Location::of(to, Subject::Message);
        let payload = self.sealer.seal(location, &message.payload)?;
        Ok(NewMessage { payload, ..message })
    }

    fn open_messages(&self, messages: Vec<Message>) -> Result<Vec<Message>, StoreError> {
        let open = |message: Message| {
            let location = Location::of(&message.to, Subject::Message);
            let payload = self.sealer.open(location, message.payload)?;
            Ok(Message { payload, ..message })
        };
        messages.into_iter().map(open).collect()
    }

    /// Reads the parent of an execution. Opens the input, which is bound to the parent, so that a changed
    /// parent is detected.
    async fn parent(&self, id: &ExecutionId) -> Result<Option<Parent>, StoreError> {
        let execution = self.inner.get(id).await?;
        if execution.parent.is_none() {
            return Ok(None);
        }
        Ok(self.sealer.open_execution(execution)?.parent)
    }
}

/// Prints the names of the codecs.
impl fmt::Debug for SealedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedStore({})", self.sealer.names())
    }
}

impl CheckpointStore for SealedStore {
    fn load<'a>(&'a self, fence: &'a Fence, after: u64) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let page = self.inner.load(fence, after).await?;
            let records = self.sealer.open_records(&fence.execution, page.records)?;
            Ok(Page { records, ..page })
        })
    }

    fn checkpoint<'a>(
        &'a self,
        fence: &'a Fence,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<Ack, StoreError>> {
        Box::pin(async move {
            self.capabilities().admit(&batch)?;
            let parent = match &batch.execution {
                Some(update) if update.is_end() => self.parent(&fence.execution).await?,
                _ => None,
            };
            let sealed = self
                .sealer
                .seal_batch(&fence.execution, parent.as_ref(), &batch)?;
            let ack = self.inner.checkpoint(fence, Arc::new(sealed)).await?;
            let changed_records = self
                .sealer
                .open_records(&fence.execution, ack.changed_records)?;
            let messages = self.open_messages(ack.messages)?;
            Ok(Ack {
                changed_records,
                messages,
                ..ack
            })
        })
    }

    fn capabilities(&self) -> Capabilities {
        limits::before_sealing(self.inner.capabilities(), self.sealer.sealing())
    }
}

impl ExecutionStore for SealedStore {
    forward_store!(inner: renew, cancel, changed);

    fn start(&self, new: NewExecution) -> BoxFuture<'_, Result<Started, StoreError>> {
        Box::pin(async move {
            self.capabilities().admit_input(&new.input)?;
            let started = self.inner.start(self.sealer.seal_new(&new)?).await?;
            self.opened(started)
        })
    }

    /// Opens the execution before claiming it, so that an error does not leave a lease behind.
    fn claim<'a>(
        &'a self,
        id: &'a ExecutionId,
        now: Timestamp,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        Box::pin(async move {
            self.get(id).await?;
            let lease = self.inner.claim(id, now, ttl).await?;
            let execution = self.sealer.open_execution(lease.execution)?;
            Ok(Lease { execution, ..lease })
        })
    }

    fn get<'a>(&'a self, id: &'a ExecutionId) -> BoxFuture<'a, Result<Execution, StoreError>> {
        Box::pin(async move { self.sealer.open_execution(self.inner.get(id).await?) })
    }
}

impl WorkStore for SealedStore {
    forward_store!(inner: ready);

    /// Releases executions that cannot be opened, for a worker with the right codec or for an operator.
    fn claim_due<'a>(
        &'a self,
        filter: &'a WorkerFilter,
        request: ClaimRequest,
    ) -> BoxFuture<'a, Result<Claimed, StoreError>> {
        Box::pin(async move {
            let mut claimed = self.inner.claim_due(filter, request).await?;
            for lease in std::mem::take(&mut claimed.leases) {
                match self.sealer.open_execution(lease.execution) {
                    Ok(execution) => claimed.leases.push(Lease { execution, ..lease }),
                    Err(error) => self.release(&lease.fence, &error, request.now).await?,
                }
            }
            Ok(claimed)
        })
    }
}

impl CallbackStore for SealedStore {
    forward_store!(inner: heartbeat);

    fn complete<'a>(
        &'a self,
        callback: &'a CallbackId,
        outcome: Completion,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.capabilities().admit_completion(&outcome)?;
            let sealed = self.sealer.seal_completion(callback, &outcome)?;
            self.inner.complete(callback, sealed, now).await
        })
    }
}

impl MessageStore for SealedStore {
    fn send<'a>(
        &'a self,
        to: &'a ExecutionId,
        message: NewMessage,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let sealed = self.seal_message(to, message)?;
            self.inner.send(to, sealed, now).await
        })
    }

    fn start_with_message(
        &self,
        new: NewExecution,
        message: NewMessage,
    ) -> BoxFuture<'_, Result<Started, StoreError>> {
        Box::pin(async move {
            self.capabilities().admit_input(&new.input)?;
            let message = self.seal_message(&new.id, message)?;
            let new = self.sealer.seal_new(&new)?;
            self.opened(self.inner.start_with_message(new, message).await?)
        })
    }

    fn messages<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Message>, StoreError>> {
        Box::pin(async move { self.open_messages(self.inner.messages(id).await?) })
    }
}

impl AdminStore for SealedStore {
    forward_store!(inner: counts, operation_counts);

    fn list(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<Execution>, StoreError>> {
        Box::pin(async move {
            let executions = self.inner.list(filter).await?.into_iter();
            let open = |stored: Execution| match self.sealer.open_execution(stored.clone()) {
                Ok(execution) => execution,
                Err(_) => stored,
            };
            Ok(executions.map(open).collect())
        })
    }

    fn history<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        Box::pin(async move {
            let records = self.inner.history(id).await?;
            self.sealer.open_records(id, records)
        })
    }

    fn published<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        Box::pin(async move {
            let records = self.inner.published(id).await?;
            self.sealer.open_records(id, records)
        })
    }

    fn fork(
        &self,
        new: NewExecution,
        records: Vec<Record>,
    ) -> BoxFuture<'_, Result<Started, StoreError>> {
        Box::pin(async move {
            self.capabilities().admit_input(&new.input)?;
            let records = self.sealer.seal_records(&new.id, &records)?;
            let started = self
                .inner
                .fork(self.sealer.seal_new(&new)?, records)
                .await?;
            self.opened(started)
        })
    }

    fn change<'a>(
        &'a self,
        id: &'a ExecutionId,
        change: Change,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let sealed = match change {
                Change::Rewind(rewind) => {
                    let records = self.sealer.seal_records(id, &rewind.records)?;
                    Change::Rewind(Rewind { records, ..rewind })
                }
                other => other,
            };
            self.inner.change(id, sealed, now).await
        })
    }
}

impl QueueStore for SealedStore {
    forward_store!(inner: queues, put_queue, remove_queue);
}

impl ScheduleStore for SealedStore {
    forward_store!(inner: remove_schedule);

    fn schedules(
        &self,
        due_by: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<Vec<ScheduleEntry>, StoreError>> {
        Box::pin(async move {
            let schedules = self.inner.schedules(due_by).await?.into_iter();
            schedules
                .map(|schedule| self.sealer.open_schedule(schedule))
                .collect()
        })
    }

    fn put_schedule(&self, schedule: ScheduleEntry) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.capabilities().admit_input(&schedule.input)?;
            let sealed = self.sealer.seal_schedule(schedule)?;
            self.inner.put_schedule(sealed).await
        })
    }

    fn fire(&self, firing: Firing) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            let start = firing.start.iter().map(|new| self.sealer.seal_new(new));
            let start = start.collect::<Result<_, _>>()?;
            self.inner.fire(Firing { start, ..firing }).await
        })
    }
}

/// Returns an error if a value is still sealed. A handler could not decode it, and the execution would fail
/// permanently.
pub(crate) fn refuse_sealed(execution: &Execution, records: &[Record]) -> Result<(), StoreError> {
    let payloads = records.iter().filter_map(|record| record.payload.as_ref());
    let errors = records.iter().filter_map(|record| record.error.as_ref());
    let own = [Some(&execution.input), execution.output.as_ref()];
    let sealed = own
        .into_iter()
        .flatten()
        .chain(payloads)
        .find_map(|payload| payload.sealed_with())
        .or_else(|| {
            let mut errors = execution.error.iter().chain(errors);
            errors.find_map(|error| error.sealed_with())
        });
    match sealed {
        None => Ok(()),
        Some(codec) => Err(StoreError::new(
            StoreErrorKind::Unusable,
            format!(
                "execution `{}` is sealed with `{codec}`: wrap its store in a `SealedStore` with that codec; \
                 nothing was changed",
                execution.id
            ),
        )),
    }
}
