//! Messages to executions.

use std::path::Path;

use durable_core::store::{
    Batch, Execution, Message, NewExecution, NewMessage, Started, StoreError,
};
use durable_core::{ExecutionId, Record, Status, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::cells::{self, Cells, Decoded, damage};
use crate::checksums;
use crate::error::Fault;
use crate::external::record_change;
use crate::reads;
use crate::session::{Session, Write};
use crate::writes::insert;

macro_rules! message_columns {
    () => {
        "number, sent_to, id, name, codec, payload, sent_at, checksum, received_by"
    };
}

const SELECT_ALL: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM messages WHERE execution = ?1 ORDER BY number"
);

const SELECT_WAITING: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM messages WHERE execution = ?1 AND number > ?2 AND received_by IS NULL ORDER BY number"
);

const SELECT_ONE: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM messages WHERE execution = ?1 AND number = ?2"
);

/// Sends a message to an execution.
pub(crate) struct SendMessage {
    pub(crate) to: ExecutionId,
    pub(crate) message: NewMessage,
    pub(crate) now: Timestamp,
}

impl Write for SendMessage {
    type Answer = ();

    fn size(&self) -> usize {
        self.message.payload.len()
    }

    fn run(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        let (key, mut execution) = reads::existing(conn, &session.path, &self.to)?;
        let message = &self.message;
        let known = conn
            .prepare_cached("SELECT 1 FROM messages WHERE execution = ?1 AND id = ?2")?
            .query_row(params![key, message.id], |_| Ok(()))
            .optional()?;
        if known.is_some() {
            return Ok(());
        }
        if execution.status.is_terminal() {
            return Err(Message::refused(&message.name, &self.to, execution.status).into());
        }
        accept(conn, session, key, &mut execution, message, self.now)
    }
}

/// Starts an execution with a message, unless there is one with its id.
pub(crate) struct StartWithMessage {
    pub(crate) new: NewExecution,
    pub(crate) message: NewMessage,
}

impl Write for StartWithMessage {
    type Answer = Started;

    fn size(&self) -> usize {
        self.new.input.len() + self.message.payload.len()
    }

    fn run(&self, conn: &Connection, session: &Session) -> Result<Started, Fault> {
        let Self { new, message } = self;
        if let Some((_, execution)) = reads::find(conn, &session.path, &new.id)? {
            return Ok(Started::Existing(execution));
        }
        insert(conn, session, &Execution::queued(new.clone()))?;
        let (key, mut execution) = reads::existing(conn, &session.path, &new.id)?;
        accept(conn, session, key, &mut execution, message, new.created_at)?;
        Ok(Started::Created(execution))
    }
}

/// Writes a message that the execution has not been sent before.
fn accept(
    conn: &Connection,
    session: &Session,
    key: i64,
    execution: &mut Execution,
    message: &NewMessage,
    now: Timestamp,
) -> Result<(), Fault> {
    let number: i64 = conn
        .prepare_cached("SELECT coalesce(max(number), 0) + 1 FROM messages WHERE execution = ?1")?
        .query_row([key], |row| row.get(0))?;
    let stored = Message {
        number: number.cast_unsigned(),
        to: execution.id.clone(),
        id: message.id.clone(),
        name: message.name.clone(),
        payload: message.payload.clone(),
        sent_at: now,
        received_by: None,
    };
    let insert = "INSERT INTO messages (execution, number, sent_to, id, name, codec, payload, sent_at, checksum) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    conn.prepare_cached(insert)?.execute(params![
        key,
        number,
        stored.to.as_str(),
        stored.id,
        stored.name,
        &*stored.payload.codec,
        &stored.payload.data[..],
        stored.sent_at.as_millis(),
        checksums::of_message(&stored),
    ])?;
    execution.note_external_change(now);
    record_change(conn, session, key, execution, None)
}

/// Reads all messages to an execution.
pub(crate) fn all(conn: &Connection, path: &Path, id: &ExecutionId) -> Result<Vec<Message>, Fault> {
    let (key, _) = reads::existing(conn, path, id)?;
    let mut statement = conn.prepare_cached(SELECT_ALL)?;
    let mut rows = statement.query([key])?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        messages.push(message(row, path, id)?);
    }
    Ok(messages)
}

/// Reads the messages that a batch asks for, as they are once the batch is written.
pub(crate) fn waiting(
    conn: &Connection,
    path: &Path,
    id: &ExecutionId,
    key: i64,
    batch: &Batch,
) -> Result<Vec<Message>, Fault> {
    let Some(after) = batch.messages_after else {
        return Ok(Vec::new());
    };
    let mut messages = Vec::new();
    let mut statement = conn.prepare_cached(SELECT_WAITING)?;
    let mut rows = statement.query(params![key, after.cast_signed()])?;
    while let Some(row) = rows.next()? {
        messages.push(message(row, path, id)?);
    }
    for record in &batch.records {
        let Some(number) = record.received_message() else {
            continue;
        };
        messages.retain(|message| message.number != number);
        if record.status == Status::Cancelled && number > after {
            let mut statement = conn.prepare_cached(SELECT_ONE)?;
            let mut rows = statement.query(params![key, number.cast_signed()])?;
            if let Some(row) = rows.next()? {
                messages.push(message(row, path, id)?);
            }
        }
    }
    messages.sort_by_key(|message| message.number);
    Ok(messages)
}

/// Marks the message of a `receive!` as received, or as not received again.
pub(crate) fn mark(conn: &Connection, key: i64, record: &Record) -> Result<(), Fault> {
    let Some(number) = record.received_message() else {
        return Ok(());
    };
    let by = (record.status == Status::Succeeded).then_some(record.seq.cast_signed());
    conn.prepare_cached(
        "UPDATE messages SET received_by = ?3 WHERE execution = ?1 AND number = ?2",
    )?
    .execute(params![key, number.cast_signed(), by])?;
    Ok(())
}

/// Marks the messages as not received again that operations at this position or later have received.
pub(crate) fn unmark(conn: &Connection, key: i64, first: u64) -> Result<(), Fault> {
    let update =
        "UPDATE messages SET received_by = NULL WHERE execution = ?1 AND received_by >= ?2";
    conn.prepare_cached(update)?
        .execute(params![key, first.cast_signed()])?;
    Ok(())
}

/// Gives the messages that were not received to the next execution of a chain.
pub(crate) fn move_waiting(conn: &Connection, from: i64, next: &ExecutionId) -> Result<(), Fault> {
    let update = "UPDATE messages SET execution = (SELECT key FROM executions WHERE id = ?2) \
                  WHERE execution = ?1 AND received_by IS NULL";
    conn.prepare_cached(update)?
        .execute(params![from, next.as_str()])?;
    Ok(())
}

fn message(row: &Row<'_>, path: &Path, execution: &ExecutionId) -> Result<Message, StoreError> {
    decode(row).map_err(|damage| {
        let number: i64 = row.get(0).unwrap_or_default();
        let what = format_args!("message {number} to execution `{execution}`");
        reads::undecodable(path, what, &damage, "")
    })
}

fn decode(row: &Row<'_>) -> Decoded<Message> {
    let row = Cells::of(row, 9)?;
    let message = Message {
        number: cells::integer(&row, 0, "number")?.cast_unsigned(),
        to: cells::execution_id(&row, 1, "sent_to")?,
        id: cells::text(&row, 2, "id")?,
        name: cells::text(&row, 3, "name")?,
        payload: cells::payload(&row, [4, 5], "payload")?,
        sent_at: cells::timestamp(&row, 6, "sent_at")?,
        received_by: cells::optional(&row, 8, "received_by", cells::integer)?
            .map(i64::cast_unsigned),
    };
    let stored = cells::integer(&row, 7, "checksum")?;
    match stored == i64::from(checksums::of_message(&message)) {
        true => Ok(message),
        false => Err(damage("payload", "its checksum does not match")),
    }
}
