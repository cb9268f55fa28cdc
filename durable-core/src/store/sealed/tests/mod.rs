//! Tests of sealed stores, with a store in memory inside.

mod binding;
mod external_events;
mod keys;
mod limits;

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{PayloadCodec, SealContext, SealedStore};
use crate::model::error::{BoxError, ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::model::record::{Kind, Record, Status};
use crate::store::{
    Batch, Execution, ExecutionUpdate, Lease, MemoryStore, NewExecution, Started, Store, StoreError,
};
use crate::{ExecutionId, Occurrence, OperationId, Timestamp};

const TTL: Duration = Duration::from_secs(60);
const SECRET: &str = "4111-1111";

/// Obfuscates bytes and authenticates them with their context. Strong enough for a test.
struct Veil(&'static str, u8);

impl Veil {
    fn sign(&self, context: &SealContext<'_>, bytes: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix([self.1]);
        hash.update(context.associated_data());
        hash.update(bytes);
        hash.finalize().into()
    }
}

impl PayloadCodec for Veil {
    fn name(&self) -> &str {
        self.0
    }

    fn seal(&self, context: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
        let mut sealed = self.sign(context, bytes).to_vec();
        sealed.extend(bytes.iter().map(|byte| byte ^ self.1));
        Ok(sealed)
    }

    fn open(&self, context: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
        let (signature, veiled) = bytes.split_first_chunk::<32>().ok_or("too short")?;
        let bytes: Vec<u8> = veiled.iter().map(|byte| byte ^ self.1).collect();
        if self.sign(context, &bytes) != *signature {
            return Err("not signed with this key".into());
        }
        Ok(bytes)
    }

    fn sealed_len(&self, len: usize) -> usize {
        len.saturating_add(32)
    }
}

/// Run-length encoding in pairs of a count and a byte: a codec may compress.
struct RunLength;

impl PayloadCodec for RunLength {
    fn name(&self) -> &str {
        "runs:1"
    }

    fn seal(&self, _: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
        let mut sealed: Vec<u8> = Vec::new();
        for &byte in bytes {
            match sealed.as_mut_slice() {
                [.., count @ ..=254, last] if *last == byte => *count += 1,
                _ => sealed.extend([1, byte]),
            }
        }
        Ok(sealed)
    }

    fn open(&self, _: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
        let (runs, []) = bytes.as_chunks::<2>() else {
            return Err("odd length".into());
        };
        let opened = runs.iter();
        Ok(opened
            .flat_map(|&[count, byte]| std::iter::repeat_n(byte, count.into()))
            .collect())
    }

    fn sealed_len(&self, len: usize) -> usize {
        len.saturating_mul(2)
    }
}

fn k1() -> Arc<dyn PayloadCodec> {
    Arc::new(Veil("veil:k1", 0x5a))
}

fn k2() -> Arc<dyn PayloadCodec> {
    Arc::new(Veil("veil:k2", 0x3c))
}

fn sealed<const N: usize>(
    inner: &Arc<MemoryStore>,
    codecs: [Arc<dyn PayloadCodec>; N],
) -> SealedStore {
    SealedStore::new(Arc::clone(inner), codecs).unwrap()
}

fn id(name: &str) -> ExecutionId {
    name.parse().unwrap()
}

fn json(text: &str) -> Payload {
    Payload {
        codec: "json".into(),
        data: text.to_owned().into(),
    }
}

fn new(name: &str) -> NewExecution {
    NewExecution::new(
        id(name),
        "pay",
        json(&format!(r#"{{"card":"{SECRET}"}}"#)),
        Timestamp::default(),
    )
}

fn error(operation: &str) -> OperationError {
    let mut error = OperationError::new(operation, ErrorKind::TimedOut, format!("no {SECRET}"));
    (error.attempts, error.type_name) = (3, "app::Declined".to_owned());
    error.chain = vec![format!("card {SECRET}"), String::new()];
    error
}

fn step(seq: u64, name: &'static str, status: Status) -> Record {
    let operation = OperationId::of(OperationId::ROOT, name, &Occurrence::Once);
    let mut record = Record::started(
        seq,
        operation,
        OperationId::ROOT,
        Kind::Step,
        name,
        Occurrence::Once,
        Timestamp::default(),
    );
    record.status = status;
    record
}

/// Records with each combination of value and error.
fn records() -> Vec<Record> {
    let mut charged = step(2, "charge", Status::Succeeded);
    charged.payload = Some(json(&format!("\"{SECRET}\"")));
    let mut pending = step(3, "notify", Status::Pending);
    pending.error = Some(error("notify"));
    let mut both = step(4, "refund", Status::Pending);
    (both.payload, both.error) = (charged.payload.clone(), Some(error("refund")));
    let mut failed = step(5, "close", Status::Failed);
    failed.error = Some(error("close"));
    let mut empty = step(6, "empty", Status::Succeeded);
    empty.payload = Some(Payload {
        codec: "application/ld+json".into(),
        data: bytes::Bytes::new(),
    });
    vec![
        step(1, "check", Status::Started),
        charged,
        pending,
        both,
        failed,
        empty,
    ]
}

fn updates() -> [ExecutionUpdate; 4] {
    [
        ExecutionUpdate::Suspend { wake_at: None },
        ExecutionUpdate::Succeed {
            output: json(&format!("[\"{SECRET}\"]")),
        },
        ExecutionUpdate::Fail {
            error: error("pay"),
        },
        ExecutionUpdate::Block {
            report: format!("`pay`\ndisagrees: {SECRET}\n"),
        },
    ]
}

async fn leased(store: &dyn Store, name: &str) -> Lease {
    store.start(new(name)).await.unwrap();
    let now = Timestamp::default();
    store.claim(&id(name), now, TTL).await.unwrap()
}

async fn put(
    store: &dyn Store,
    lease: &Lease,
    records: Vec<Record>,
    execution: Option<ExecutionUpdate>,
) {
    let batch = Batch {
        id: 1,
        records,
        children: Vec::new(),
        seen: 0,
        messages_after: None,
        execution,
    };
    let written = store.checkpoint(&lease.fence, Arc::new(batch)).await;
    written.unwrap();
}

/// Runs an execution that writes all [`records`] and then `update` to `store`. Returns its expected state.
async fn written(store: &dyn Store, name: &str, update: ExecutionUpdate) -> Execution {
    let lease = leased(store, name).await;
    put(store, &lease, records(), Some(update.clone())).await;
    let mut execution = lease.execution;
    execution.apply(&update, 0, Timestamp::default());
    execution
}

/// Clears the time of the last change, which the store sets.
fn untimed(mut execution: Execution) -> Execution {
    execution.updated_at = Timestamp::default();
    execution
}

async fn existing(store: &dyn Store, name: &str) -> Result<Execution, StoreError> {
    match store.start(new(name)).await? {
        Started::Existing(execution) => Ok(execution),
        Started::Created(_) => panic!("{name} did not exist"),
    }
}
