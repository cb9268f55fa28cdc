//! Writes that start executions, and that claim and renew their leases.

use std::time::Duration;

use durable_core::store::{
    Execution, Fence, ForkedFrom, Lease, NewExecution, Started, StoreError, StoreErrorKind,
};
use durable_core::{ExecutionId, Record, Timestamp, TraceParent};
use rusqlite::{Connection, OptionalExtension, params};

use crate::checksums;
use crate::error::Fault;
use crate::grants::Grant;
use crate::labels;
use crate::reads::{self, ShortHistory};
use crate::rows::{self, put};
use crate::session::{Session, Token, Write};

/// Starts an execution, unless there is one with its id.
pub(crate) struct Start(pub(crate) NewExecution);

impl Write for Start {
    type Answer = Started;

    fn size(&self) -> usize {
        self.0.input.len()
    }

    fn run(&self, conn: &Connection, session: &Session) -> Result<Started, Fault> {
        let Self(new) = self;
        if let Some((_, execution)) = reads::find(conn, &session.path, &new.id)? {
            return Ok(Started::Existing(execution));
        }
        let execution = Execution::queued(new.clone());
        insert(conn, session, &execution)?;
        Ok(Started::Created(execution))
    }
}

/// Starts an execution whose history begins with these records, unless there is one with its id.
pub(crate) struct Fork {
    pub(crate) new: NewExecution,
    pub(crate) records: Vec<Record>,
}

impl Write for Fork {
    type Answer = Started;

    fn run(&self, conn: &Connection, session: &Session) -> Result<Started, Fault> {
        if let Some((_, execution)) = reads::find(conn, &session.path, &self.new.id)? {
            return Ok(Started::Existing(execution));
        }
        let execution = Execution::forked(self.new.clone());
        insert(conn, session, &execution)?;
        let (key, _) = reads::existing(conn, &session.path, &self.new.id)?;
        self.records
            .iter()
            .try_for_each(|record| put(conn, key, record))?;
        Ok(Started::Created(execution))
    }
}

/// Inserts an execution, unless there is one with its id.
///
/// Fence numbers start at a random one, so that fences of a deleted execution never match those of a
/// new one with the same id.
pub(crate) fn insert(
    conn: &Connection,
    session: &Session,
    execution: &Execution,
) -> Result<(), Fault> {
    let insert = "INSERT INTO executions (id, handler, status, input_codec, input, created_at, updated_at, parent, \
                  parent_seq, parent_operation, start_at, queue, queue_key, priority, admitted, due, enqueued, fence, \
                  input_type, input_checksum, trace, labels, forked_from, wake_at) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, \
                  ?20, ?21, ?22, ?23) \
                  ON CONFLICT (id) DO NOTHING";
    let (parent, entry) = (execution.parent.as_ref(), execution.queue.as_ref());
    let (due, enqueued) = rows::due(execution);
    let inserted = conn.prepare_cached(insert)?.execute(params![
        execution.id.as_str(),
        execution.handler,
        execution.status.as_str(),
        &*execution.input.codec,
        &execution.input.data[..],
        execution.created_at.as_millis(),
        parent.map(|parent| parent.execution.as_str()),
        parent.map(|parent| parent.seq.cast_signed()),
        parent.map(|parent| parent.operation.as_bytes().as_slice()),
        execution.start_at.map(Timestamp::as_millis),
        entry.map(|entry| &entry.queue),
        entry.and_then(|entry| entry.key.as_ref()),
        entry.map_or(0, |entry| entry.priority),
        execution.admitted,
        due,
        enqueued,
        fastrand::i64(0..1 << 40),
        execution.input_type.as_deref(),
        checksums::of_start(execution),
        execution.trace.as_ref().map(TraceParent::as_str),
        execution.labels.encode(),
        execution.forked_from.as_deref().map(ForkedFrom::encode),
        execution.wake_at.map(Timestamp::as_millis),
    ])?;
    if inserted > 0 {
        labels::insert(conn, conn.last_insert_rowid(), execution)?;
    }
    session.notifier.note_due();
    Ok(())
}

/// Claims one execution by its id.
pub(crate) struct Claim {
    pub(crate) id: ExecutionId,
    pub(crate) now: Timestamp,
    pub(crate) ttl: Duration,
}

impl Write for Claim {
    type Answer = (Lease, ShortHistory);

    fn run(&self, conn: &Connection, session: &Session) -> Result<Self::Answer, Fault> {
        let found = [reads::unclaimed_by_id(conn, &session.path, &self.id)?];
        let [unclaimed] = &found;
        unclaimed.execution.ensure_claimable()?;
        let was_interrupted = self.holder_is_dead(conn, session, unclaimed.key)?;
        let history = reads::short_histories(conn, &found).pop().flatten();
        let mut grant = Grant::new(self.now, self.ttl);
        for found in found {
            grant.add(conn, found, None, was_interrupted)?;
        }
        let lease = grant.write(conn, session)?.pop();
        let lease = lease.ok_or_else(|| reads::not_found(&session.path, &self.id))?;
        Ok((lease, history))
    }

    fn settled(&self, outcome: &mut Result<Self::Answer, StoreError>, session: &Session) {
        if let Ok((lease, history)) = outcome
            && let Some(token) = Token::of(&lease.fence)
        {
            session.remember(token, history.take());
        }
    }
}

impl Claim {
    /// Whether an earlier holder left a lease behind. Refuses the claim while that holder is alive.
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
                "execution `{}` is leased by another holder until {} or longer",
                self.id,
                Timestamp::from_millis(expires_at)
            );
            return Err(StoreError::new(StoreErrorKind::Leased, message).into());
        }
        Ok(true)
    }
}

/// Extends a lease.
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
            0 => Err(self.fence.lost().into()),
            _ => Ok(()),
        }
    }

    fn must_sync(&self) -> bool {
        false
    }
}
