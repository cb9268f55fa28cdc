//! Starts of executions, any number in one statement.

mod columns;

use std::collections::{HashMap, HashSet};

use durable_core::Record;
use durable_core::store::{Execution, Started, StoreError, StoreErrorKind};

use crate::columns::new_key;
use crate::connection::{Conn, params};
use crate::database::{Attempt, Work};
use crate::error::Fault;
use crate::executions::find;
use crate::external::insert_records;
use crate::notifier::Events;
use crate::session::Session;
use columns::Starts;

/// How often new keys are generated if they collide.
const ATTEMPTS: usize = 5;

/// Execution to start, with its key.
///
/// The key stays the same when the call is retried, so an execution found with this key was
/// started by an earlier attempt.
pub(crate) struct Start {
    pub(crate) key: i64,
    pub(crate) execution: Execution,
}

impl Start {
    pub(crate) fn new(execution: Execution) -> Self {
        let key = new_key();
        Self { key, execution }
    }

    /// Inserts the execution within a transaction. Returns whether it did not exist.
    pub(crate) async fn insert(&self, conn: &Conn<'_>) -> Result<bool, Fault> {
        let mut starts = Starts::default();
        starts.push(self.key, &self.execution);
        Ok(!starts.insert(conn).await?.is_empty())
    }

    /// The answer if the execution was not inserted.
    pub(crate) async fn existing(
        &self,
        conn: &Conn<'_>,
        session: &Session,
    ) -> Result<Started, Fault> {
        Ok(existing(conn, session, self).await??)
    }
}

/// Starts executions and returns an answer for each.
pub(crate) async fn start_group(
    conn: &Conn<'_>,
    session: &Session,
    group: &[&Start],
    events: &mut Events,
) -> Result<Vec<Result<Started, StoreError>>, Fault> {
    let mut starts = Starts::default();
    let mut named = HashSet::new();
    for start in group {
        // The first of several with the same id is started.
        if named.insert(&start.execution.id) {
            starts.push(start.key, &start.execution);
        }
    }
    let new: HashSet<_> = starts.insert(conn).await?.into_iter().collect();
    if !new.is_empty() {
        events.record_due();
    }
    let mut answers = Vec::with_capacity(group.len());
    for start in group {
        let answer = match new.contains(&start.key) {
            true => Ok(Started::Created(start.execution.clone())),
            false => existing(conn, session, start).await?,
        };
        answers.push(answer);
    }
    Ok(answers)
}

/// The answer for an execution that was not inserted.
async fn existing(
    conn: &Conn<'_>,
    session: &Session,
    start: &Start,
) -> Result<Result<Started, StoreError>, Fault> {
    let id = &start.execution.id;
    match find(conn, &session.location, id).await {
        Ok(Some(found)) if found.key == start.key => Ok(Ok(Started::Created(found.execution))),
        Ok(Some(found)) => Ok(Ok(Started::Existing(found.execution))),
        Ok(None) => Ok(Err(key_taken(start))),
        Err(Fault::Refused(error)) => Ok(Err(error)),
        Err(fault) => Err(fault),
    }
}

/// Error for a collision of keys, which is so rare that the caller can retry with a new key.
fn key_taken(start: &Start) -> StoreError {
    let message = format!(
        "execution `{}` was not started: start it again",
        start.execution.id
    );
    StoreError::new(StoreErrorKind::Unavailable, message)
}

/// Number of records in one statement.
const RECORDS: usize = 1000;

/// Starts an execution whose history begins with these records, unless there is one with its id.
pub(crate) struct Fork {
    pub(crate) start: Start,
    pub(crate) records: Vec<Record>,
}

impl Work for Fork {
    type Answer = Started;

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<Started, Fault> {
        if !self.start.insert(conn).await? {
            return self.start.existing(conn, attempt.session).await;
        }
        for records in self.records.chunks(RECORDS) {
            insert_records(conn, self.start.key, records).await?;
        }
        attempt.events.record_due();
        Ok(Started::Created(self.start.execution.clone()))
    }
}

/// Starts executions within a transaction; existing ids are skipped.
pub(crate) async fn insert(
    conn: &Conn<'_>,
    attempt: &mut Attempt<'_>,
    executions: &[Execution],
) -> Result<(), Fault> {
    let mut left: HashMap<_, _> = executions
        .iter()
        .map(|new| (new.id.as_str(), new))
        .collect();
    for _ in 0..ATTEMPTS {
        if left.is_empty() {
            return Ok(());
        }
        let mut starts = Starts::default();
        for execution in left.values() {
            starts.push(new_key(), execution);
        }
        let new = starts.insert(conn).await?;
        if !new.is_empty() {
            attempt.events.record_due();
        }
        if new.len() == left.len() {
            return Ok(());
        }
        let ids: Vec<_> = left.keys().copied().collect();
        let select = "SELECT id FROM @.executions WHERE id = ANY($1)";
        for row in conn.query(select, params![ids => TEXT_ARRAY]).await? {
            left.remove(row.try_get::<&str>(0)?);
        }
    }
    let message = "executions were not started: retry";
    Err(StoreError::new(StoreErrorKind::Unavailable, message).into())
}
