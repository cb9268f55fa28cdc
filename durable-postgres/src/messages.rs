//! Messages to executions.

use durable_core::store::{Message, NewMessage, Started};
use durable_core::{ExecutionId, Timestamp};

use crate::checksums;
use crate::columns::position;
use crate::connection::{Conn, params};
use crate::database::{Attempt, Work};
use crate::driver::Row;
use crate::error::Fault;
use crate::executions::{find_locked, not_found};
use crate::external::changed;
use crate::rows::{self, Damage};
use crate::session::Counters;
use crate::start::Start;
use crate::text::stored;

/// Columns that [`message`] decodes, in its order, of the table `m`.
macro_rules! message_columns {
    () => {
        "m.number, m.sent_to, m.id, m.name, m.codec, m.payload, m.sent_at, m.checksum, m.received_by"
    };
}
pub(crate) use message_columns;

/// Sends a message to an execution.
pub(crate) struct Send {
    pub(crate) to: ExecutionId,
    pub(crate) message: NewMessage,
    pub(crate) now: Timestamp,
}

impl Work for Send {
    type Answer = ();

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<(), Fault> {
        let location = &attempt.session.location;
        let found = find_locked(conn, location, &self.to).await?;
        let found = found.ok_or_else(|| not_found(location, &self.to))?;
        let (key, mut execution) = (found.key, found.execution);
        // The lock on the execution orders its senders, so the next number is read after it.
        let (last, known) = self.sent_before(conn, key).await?;
        if known {
            return Ok(());
        }
        if execution.status.is_terminal() {
            return Err(Message::refused(&self.message.name, &self.to, execution.status).into());
        }
        insert(conn, (key, &self.to), last + 1, &self.message, self.now).await?;
        execution.note_external_change(self.now);
        changed(conn, attempt, key, &execution, None).await
    }
}

impl Send {
    /// The number of the execution's last message, and whether it was sent this one before.
    async fn sent_before(&self, conn: &Conn<'_>, key: i64) -> Result<(i64, bool), Fault> {
        let select = "SELECT (SELECT coalesce(max(number), 0) FROM @.messages WHERE execution = $1), \
                      EXISTS (SELECT 1 FROM @.messages WHERE execution = $1 AND id = $2)";
        let id = stored(&self.message.id);
        let rows = conn.query(select, params![key => INT8, id => TEXT]).await?;
        match rows.first() {
            Some(row) => Ok((row.try_get(0)?, row.try_get(1)?)),
            None => Ok((0, false)),
        }
    }
}

/// Starts an execution with a message, unless there is one with its id.
pub(crate) struct StartWithMessage {
    pub(crate) start: Start,
    pub(crate) message: NewMessage,
}

impl Work for StartWithMessage {
    type Answer = Started;

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<Started, Fault> {
        let Self { start, message } = self;
        if !start.insert(conn).await? {
            return start.existing(conn, attempt.session).await;
        }
        let (mut execution, now) = (start.execution.clone(), start.execution.created_at);
        insert(conn, (start.key, &execution.id), 1, message, now).await?;
        execution.note_external_change(now);
        changed(conn, attempt, start.key, &execution, None).await?;
        attempt.events.record_due();
        Ok(Started::Created(execution))
    }
}

/// Writes a message under a number that is free.
async fn insert(
    conn: &Conn<'_>,
    (key, to): (i64, &ExecutionId),
    number: i64,
    message: &NewMessage,
    now: Timestamp,
) -> Result<(), Fault> {
    let insert = "INSERT INTO @.messages (execution, number, sent_to, id, name, codec, payload, sent_at, checksum) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let message = Message {
        number: number.cast_unsigned(),
        to: to.clone(),
        id: message.id.clone(),
        name: message.name.clone(),
        payload: message.payload.clone(),
        sent_at: now,
        received_by: None,
    };
    conn.query(
        insert,
        params![
            key => INT8,
            number => INT8,
            message.to.as_str() => TEXT,
            stored(&message.id) => TEXT,
            stored(&message.name) => TEXT,
            stored(&message.payload.codec) => TEXT,
            &message.payload.data[..] => BYTEA,
            message.sent_at.as_millis() => INT8,
            checksums::of_message(&message) => INT4,
        ],
    )
    .await?;
    Ok(())
}

/// Reads all messages to an execution.
pub(crate) struct Messages(pub(crate) ExecutionId);

impl Work for Messages {
    type Answer = Vec<Message>;
    const TRANSACTION: bool = false;

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<Vec<Message>, Fault> {
        const SELECT: &str = concat!(
            "SELECT ",
            message_columns!(),
            " FROM @.executions e LEFT JOIN @.messages m ON m.execution = e.key WHERE e.id = $1 ORDER BY m.number"
        );
        let (Self(id), location) = (self, &attempt.session.location);
        Counters::add(&attempt.session.counters.reads, 1);
        let rows = conn.query(SELECT, params![id.as_str() => TEXT]).await?;
        if rows.is_empty() {
            return Err(not_found(location, id).into());
        }
        optional_messages(&rows, 0, id, location)
    }
}

/// Decodes the messages of joined rows from column `first`. A row without a message has NULL there.
pub(crate) fn optional_messages(
    rows: &[Row],
    first: usize,
    id: &ExecutionId,
    location: &str,
) -> Result<Vec<Message>, Fault> {
    let mut messages = Vec::new();
    for row in rows {
        let Some(number) = row.try_get::<Option<i64>>(first)? else {
            continue;
        };
        let found = message(row, first).map_err(|damage| {
            let what = format_args!("message {number} to execution `{id}`").to_string();
            damage.of(location, what)
        })?;
        messages.push(found);
    }
    Ok(messages)
}

fn message(row: &Row, first: usize) -> Result<Message, Damage> {
    let message = Message {
        number: rows::integer(row, first, "number")?.cast_unsigned(),
        to: rows::word(row, first + 1, "sent_to", |id| id.parse().ok())?,
        id: rows::text(row, first + 2, "id")?,
        name: rows::text(row, first + 3, "name")?,
        payload: rows::payload(row, [first + 4, first + 5], "payload")?,
        sent_at: rows::timestamp(row, first + 6, "sent_at")?,
        received_by: rows::value::<Option<i64>>(row, first + 8, "received_by")?
            .map(i64::cast_unsigned),
    };
    let sum = rows::value(row, first + 7, "checksum")?;
    checksums::compare(sum, || checksums::of_message(&message), "payload")?;
    Ok(message)
}

/// Marks the messages as not received again that operations at this position or later have received.
pub(crate) async fn unmark(conn: &Conn<'_>, key: i64, first: u64) -> Result<(), Fault> {
    let update =
        "UPDATE @.messages SET received_by = NULL WHERE execution = $1 AND received_by >= $2";
    conn.query(update, params![key => INT8, position(first) => INT8])
        .await?;
    Ok(())
}

/// Gives the messages that were not received to the next execution of a chain.
pub(crate) async fn move_waiting(
    conn: &Conn<'_>,
    from: i64,
    next: &ExecutionId,
) -> Result<(), Fault> {
    let update = "UPDATE @.messages m SET execution = e.key FROM @.executions e WHERE e.id = $2 AND m.execution = $1 AND \
                  m.received_by IS NULL";
    conn.query(update, params![from => INT8, next.as_str() => TEXT])
        .await?;
    Ok(())
}
