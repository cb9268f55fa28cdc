//! Writes of schedules: setting one up, removing it, firing it.

use durable_core::store::{Execution, Firing, ScheduleEntry, StoreError, StoreErrorKind};
use durable_core::{ExecutionId, Timestamp};
use rusqlite::{Connection, params};

use crate::checksums;
use crate::error::Fault;
use crate::session::{Session, Write};
use crate::writes::insert;

/// Sets up a schedule.
pub(crate) struct PutSchedule(pub(crate) ScheduleEntry);

impl Write for PutSchedule {
    type Answer = ();

    fn run(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        let Self(schedule) = self;
        let queue = schedule.queue.as_ref();
        let insert = "INSERT INTO schedules (name, plan, handler, input_codec, input, queue, queue_key, priority, \
                      next_at, last, paused, checksum, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
                      ?12, 1) \
                      ON CONFLICT (name) DO UPDATE SET plan = ?2, handler = ?3, input_codec = ?4, input = ?5, \
                      queue = ?6, queue_key = ?7, priority = ?8, next_at = ?9, last = ?10, paused = ?11, \
                      checksum = ?12, revision = revision + 1";
        conn.prepare_cached(insert)?.execute(params![
            schedule.name.as_str(),
            schedule.plan,
            schedule.handler,
            &*schedule.input.codec,
            &schedule.input.data[..],
            queue.map(|entry| &entry.queue),
            queue.and_then(|entry| entry.key.as_ref()),
            queue.map_or(0, |entry| entry.priority),
            schedule.next_at.map(Timestamp::as_millis),
            schedule.last.as_ref().map(ExecutionId::as_str),
            schedule.paused,
            checksums::of_schedule(schedule),
        ])?;
        session.notifier.note_due();
        Ok(())
    }
}

/// Removes a schedule.
pub(crate) struct RemoveSchedule(pub(crate) ExecutionId);

impl Write for RemoveSchedule {
    type Answer = ();

    fn run(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        let Self(name) = self;
        let delete = "DELETE FROM schedules WHERE name = ?1";
        if conn.prepare_cached(delete)?.execute([name.as_str()])? == 0 {
            let message = format!(
                "there is no schedule `{name}` in `{}`",
                session.path.display()
            );
            return Err(StoreError::new(StoreErrorKind::NotFound, message).into());
        }
        Ok(())
    }
}

/// Fires a schedule, unless it was changed since the firing was planned.
pub(crate) struct Fire(pub(crate) Firing);

impl Write for Fire {
    type Answer = bool;

    fn run(&self, conn: &Connection, session: &Session) -> Result<bool, Fault> {
        let Self(firing) = self;
        let update = "UPDATE schedules SET next_at = ?3, last = ?4, revision = revision + 1 WHERE name = ?1 AND \
                      revision = ?2";
        let updated = conn.prepare_cached(update)?.execute(params![
            firing.schedule.as_str(),
            firing.revision.cast_signed(),
            firing.next_at.map(Timestamp::as_millis),
            firing.last.as_ref().map(ExecutionId::as_str),
        ])?;
        if updated == 0 {
            return Ok(false);
        }
        for new in &firing.start {
            insert(conn, session, &Execution::queued(new.clone()))?;
        }
        Ok(true)
    }
}
