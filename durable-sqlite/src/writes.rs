//! What is written, each within a transaction that the writer has begun.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use durable_core::store::{
    Ack, Batch, Execution, ExecutionStatus, ExecutionUpdate, Fence, Lease, NewExecution, Started,
    StoreError, StoreErrorKind,
};
use durable_core::{Clock, ExecutionId, Payload, SystemClock, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Fault;
use crate::owner::Owner;
use crate::reads;
use crate::rows::{encode_error, put};

/// Where it is written, and in whose name.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) path: PathBuf,
    pub(crate) owner: Owner,
    /// Leases that were granted and not given up, by the key of the execution.
    leases: Mutex<HashMap<i64, Token>>,
}

impl Session {
    pub(crate) fn new(path: PathBuf, owner: Owner) -> Self {
        let leases = Mutex::default();
        Self {
            path,
            owner,
            leases,
        }
    }

    /// Whether the lease behind `token` is the only one, so that nobody could share a commit.
    pub(crate) fn is_alone(&self, token: Token) -> bool {
        let leases = self.leases();
        leases.len() == 1 && leases.get(&token.key) == Some(&token)
    }

    fn forget(&self, token: Token) {
        let mut leases = self.leases();
        if leases.get(&token.key) == Some(&token) {
            leases.remove(&token.key);
        }
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<i64, Token>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A piece of work that is committed whole, perhaps together with others, or not at all.
///
/// It may run again after a rollback, and refuses before it writes anything.
pub(crate) trait Write: Send + 'static {
    type Answer: Send + 'static;

    fn run(&self, conn: &Connection, session: &Session) -> Result<Self::Answer, Fault>;

    /// Notes in `session` what was committed or refused, before anyone goes on because of it.
    fn settled(&self, _outcome: &Result<Self::Answer, StoreError>, _session: &Session) {}

    /// Whether this counts as a batch.
    const IS_BATCH: bool = false;
}

/// What a token of ours says: `key.number` of the execution and of its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) key: i64,
    pub(crate) number: i64,
}

impl Token {
    pub(crate) fn of(fence: &Fence) -> Option<Self> {
        let (key, number) = fence.token.split_once('.')?;
        Some(Self {
            key: key.parse().ok()?,
            number: number.parse().ok()?,
        })
    }

    fn fence(self, execution: ExecutionId) -> Fence {
        Fence {
            execution,
            token: format!("{}.{}", self.key, self.number).into(),
        }
    }
}

pub(crate) fn fence_lost(fence: &Fence) -> StoreError {
    StoreError::new(
        StoreErrorKind::FenceLost,
        format!(
            "the lease of execution `{}` was given up or taken over",
            fence.execution
        ),
    )
}

pub(crate) struct Start(pub(crate) NewExecution);

impl Write for Start {
    type Answer = Started;

    fn run(&self, conn: &Connection, session: &Session) -> Result<Started, Fault> {
        let Self(new) = self;
        if let Some((_, execution)) = reads::find(conn, &session.path, &new.id)? {
            return Ok(Started::Existing(execution));
        }
        let insert = "INSERT INTO executions (id, handler, status, input_codec, input, created_at, updated_at) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
        conn.prepare_cached(insert)?.execute(params![
            new.id.as_str(),
            new.handler,
            ExecutionStatus::Queued.as_str(),
            &*new.input.codec,
            &new.input.data[..],
            new.created_at.as_millis(),
        ])?;
        Ok(Started::Created(Execution::queued(new.clone())))
    }
}

pub(crate) struct Claim {
    pub(crate) id: ExecutionId,
    pub(crate) now: Timestamp,
    pub(crate) ttl: Duration,
}

impl Write for Claim {
    type Answer = Lease;

    fn run(&self, conn: &Connection, session: &Session) -> Result<Lease, Fault> {
        let (key, mut execution) = reads::existing(conn, &session.path, &self.id)?;
        if execution.status.is_terminal() {
            let message = format!("execution `{}` has {}", self.id, execution.status);
            return Err(StoreError::new(StoreErrorKind::Conflict, message).into());
        }
        let unclean = self.holder_is_dead(conn, session, key)?;
        execution.claimed(self.now);
        let update = "UPDATE executions SET fence = fence + 1, status = ?2, updated_at = ?3, last_batch = NULL, \
                      wake_at = NULL, report = NULL WHERE key = ?1 RETURNING fence";
        let number = conn.prepare_cached(update)?.query_row(
            params![key, execution.status.as_str(), self.now.as_millis()],
            |row| row.get(0),
        )?;
        let lease = "INSERT OR REPLACE INTO leases (execution, fence, owner, expires_at) VALUES (?1, ?2, ?3, ?4)";
        let expires_at = self.now.after(self.ttl).as_millis();
        conn.prepare_cached(lease)?.execute(params![
            key,
            number,
            session.owner.token(),
            expires_at
        ])?;
        Ok(Lease {
            fence: Token { key, number }.fence(self.id.clone()),
            execution,
            unclean,
        })
    }

    fn settled(&self, outcome: &Result<Lease, StoreError>, session: &Session) {
        if let Some(token) = outcome
            .as_ref()
            .ok()
            .and_then(|lease| Token::of(&lease.fence))
        {
            session.leases().insert(token.key, token);
        }
    }
}

impl Claim {
    /// Whether a lease was left behind: `Ok(false)` where there is none, refused while its holder lives.
    fn holder_is_dead(
        &self,
        conn: &Connection,
        session: &Session,
        key: i64,
    ) -> Result<bool, Fault> {
        let select = "SELECT owner, expires_at FROM leases WHERE execution = ?1";
        let held: Option<(String, i64)> = conn
            .prepare_cached(select)?
            .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((owner, expires_at)) = held else {
            return Ok(false);
        };
        if self.now.as_millis() < expires_at && session.owner.is_alive(&session.path, &owner) {
            let message = format!(
                "execution `{}` is being run by another holder, until {} if it does not renew",
                self.id,
                Timestamp::from_millis(expires_at)
            );
            return Err(StoreError::new(StoreErrorKind::Leased, message).into());
        }
        Ok(true)
    }
}

pub(crate) struct Renew {
    pub(crate) fence: Fence,
    pub(crate) token: Token,
    pub(crate) now: Timestamp,
    pub(crate) ttl: Duration,
}

impl Write for Renew {
    type Answer = ();

    fn run(&self, conn: &Connection, _: &Session) -> Result<(), Fault> {
        let update = "UPDATE leases SET expires_at = ?3 WHERE execution = ?1 AND fence = ?2 \
                      AND EXISTS (SELECT 1 FROM executions WHERE key = ?1 AND id = ?4)";
        let changed = conn.prepare_cached(update)?.execute(params![
            self.token.key,
            self.token.number,
            self.now.after(self.ttl).as_millis(),
            self.fence.execution.as_str(),
        ])?;
        match changed {
            0 => Err(fence_lost(&self.fence).into()),
            _ => Ok(()),
        }
    }
}

pub(crate) struct Checkpoint {
    pub(crate) fence: Fence,
    pub(crate) token: Token,
    pub(crate) batch: Arc<Batch>,
}

impl Write for Checkpoint {
    type Answer = Ack;
    const IS_BATCH: bool = true;

    fn run(&self, conn: &Connection, _: &Session) -> Result<Ack, Fault> {
        if !self.is_current(conn)? {
            return Ok(Ack::default());
        }
        for record in &self.batch.records {
            put(conn, self.token.key, record)?;
        }
        if let Some(update) = &self.batch.execution {
            self.release(conn, update)?;
        }
        Ok(Ack::default())
    }

    fn settled(&self, outcome: &Result<Ack, StoreError>, session: &Session) {
        let gone = match outcome {
            Ok(_) => self.batch.execution.is_some(),
            Err(error) => error.kind() == StoreErrorKind::FenceLost,
        };
        if gone {
            session.forget(self.token);
        }
    }
}

impl Checkpoint {
    /// Whether the batch is to be written: `Ok(false)` when it has been and gave up the lease.
    fn is_current(&self, conn: &Connection) -> Result<bool, Fault> {
        let select = "SELECT e.id, e.fence, e.last_batch, l.fence FROM executions e \
                      LEFT JOIN leases l ON l.execution = e.key WHERE e.key = ?1";
        let mut statement = conn.prepare_cached(select)?;
        let mut rows = statement.query([self.token.key])?;
        let Some(row) = rows.next()? else {
            return Err(fence_lost(&self.fence).into());
        };
        let named = row
            .get_ref(0)?
            .as_str()
            .is_ok_and(|id| id == self.fence.execution.as_str());
        let (newest, last): (i64, Option<i64>) = (row.get(1)?, row.get(2)?);
        let leased: Option<i64> = row.get(3)?;
        let mine = named.then_some(self.token.number);
        match leased {
            Some(leased) if mine == Some(leased) => Ok(true),
            None if mine == Some(newest) && last == Some(self.batch.id.cast_signed()) => Ok(false),
            _ => Err(fence_lost(&self.fence).into()),
        }
    }

    fn release(&self, conn: &Connection, update: &ExecutionUpdate) -> Result<(), Fault> {
        let now = SystemClock.now();
        // Only what the update sets is taken from it.
        let mut after = Execution::queued(NewExecution {
            id: self.fence.execution.clone(),
            handler: String::new(),
            input: Payload {
                codec: "".into(),
                data: Bytes::new(),
            },
            created_at: now,
        });
        after.apply(update, now);
        let error = after.error.as_ref().map(encode_error).transpose()?;
        let change = "UPDATE executions SET status = ?2, updated_at = ?3, last_batch = ?4, wake_at = ?5, report = ?6, \
                      error = ?7, output_codec = ?8, output = ?9 WHERE key = ?1";
        conn.prepare_cached(change)?.execute(params![
            self.token.key,
            after.status.as_str(),
            now.as_millis(),
            self.batch.id.cast_signed(),
            after.wake_at.map(Timestamp::as_millis),
            after.report,
            error,
            after.output.as_ref().map(|output| &*output.codec),
            after.output.as_ref().map(|output| &output.data[..]),
        ])?;
        conn.prepare_cached("DELETE FROM leases WHERE execution = ?1")?
            .execute([self.token.key])?;
        Ok(())
    }
}
