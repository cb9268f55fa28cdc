//! Executions start and are leased, each within a transaction that the writer has begun.

use std::time::Duration;

use durable_core::store::{
    Execution, ExecutionStatus, Fence, Lease, NewExecution, Started, StoreError, StoreErrorKind,
};
use durable_core::{ExecutionId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Fault;
use crate::reads;
use crate::session::{Session, Token, Write, fence_lost};

pub(crate) struct Start(pub(crate) NewExecution);

impl Write for Start {
    type Answer = Started;

    fn run(&self, conn: &Connection, session: &Session) -> Result<Started, Fault> {
        let Self(new) = self;
        if let Some((_, execution)) = reads::find(conn, &session.path, &new.id)? {
            return Ok(Started::Existing(execution));
        }
        insert(conn, new)?;
        Ok(Started::Created(Execution::queued(new.clone())))
    }
}

/// Starts an execution, unless there is one with its id.
pub(crate) fn insert(conn: &Connection, new: &NewExecution) -> Result<(), Fault> {
    let insert = "INSERT INTO executions (id, handler, status, input_codec, input, created_at, updated_at, parent, \
                  parent_seq, parent_operation) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9) \
                  ON CONFLICT (id) DO NOTHING";
    let parent = new.parent.as_ref();
    conn.prepare_cached(insert)?.execute(params![
        new.id.as_str(),
        new.handler,
        ExecutionStatus::Queued.as_str(),
        &*new.input.codec,
        &new.input.data[..],
        new.created_at.as_millis(),
        parent.map(|parent| parent.execution.as_str()),
        parent.map(|parent| parent.seq.cast_signed()),
        parent.map(|parent| parent.operation.as_bytes().as_slice()),
    ])?;
    Ok(())
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
        if execution.changes > 0 {
            // The new holder reads the records as they are.
            conn.prepare_cached("DELETE FROM changes WHERE execution = ?1")?
                .execute([key])?;
        }
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
            session.remember(token);
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
