//! What operators do to executions, and what schedules do by themselves.

use durable_core::store::{
    Change, Execution, Firing, Rewind, ScheduleEntry, StoreError, StoreErrorKind,
};
use durable_core::{ExecutionId, Timestamp};
use rusqlite::{Connection, params};

use crate::claims::is_leased;
use crate::error::Fault;
use crate::outside::changed;
use crate::reads;
use crate::rows::{LAST, place, put};
use crate::session::{Session, Write};
use crate::sums;
use crate::writes::insert;

/// Does to an execution what an operator asks for.
pub(crate) struct Operate {
    pub(crate) id: ExecutionId,
    pub(crate) change: Change,
    pub(crate) now: Timestamp,
}

impl Write for Operate {
    type Answer = ();

    fn run(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        let (key, mut execution) = reads::existing(conn, &session.path, &self.id)?;
        let leased = is_leased(conn, session, key, self.now)?;
        execution.change(&self.change, leased, self.now)?;
        match &self.change {
            Change::Delete => return delete(conn, key),
            Change::Rewind(rewind) => self.rewind(conn, key, rewind)?,
            _ => {}
        }
        let end = sums::End::of(&execution)?;
        let update = "UPDATE executions SET status = ?2, updated_at = ?3, report = ?4, error = ?5, output_codec = ?6, \
                      output = ?7, cancel = ?8, paused = ?9, admitted = ?10, output_checksum = ?11, error_checksum = ?12, \
                      report_checksum = ?13, tried = NULL, crashes = 0 WHERE key = ?1";
        conn.prepare_cached(update)?.execute(params![
            key,
            execution.status.as_str(),
            execution.updated_at.as_millis(),
            execution.report,
            end.error,
            execution.output.as_ref().map(|output| &*output.codec),
            execution.output.as_ref().map(|output| &output.data[..]),
            execution.cancel,
            execution.paused,
            execution.admitted,
            end.output,
            end.error_sum,
            end.report,
        ])?;
        changed(conn, session, key, &execution, None)
    }
}

impl Operate {
    fn rewind(&self, conn: &Connection, key: i64, rewind: &Rewind) -> Result<(), Fault> {
        if let Some(first) = rewind.remove_from {
            let delete = "DELETE FROM operations WHERE place >= ?1 AND place <= ?2";
            let range = [place(key, first.max(1)), place(key, LAST)];
            conn.prepare_cached(delete)?.execute(range)?;
        }
        rewind
            .records
            .iter()
            .try_for_each(|record| put(conn, key, record))?;
        // What a dead holder left behind does not count against the new beginning.
        conn.prepare_cached("DELETE FROM leases WHERE execution = ?1")?
            .execute([key])?;
        Ok(())
    }
}

fn delete(conn: &Connection, key: i64) -> Result<(), Fault> {
    conn.prepare_cached("DELETE FROM operations WHERE place > ?1 AND place <= ?2")?
        .execute([place(key, 0), place(key, LAST)])?;
    for table in [
        "DELETE FROM changes WHERE execution = ?1",
        "DELETE FROM leases WHERE execution = ?1",
        "DELETE FROM executions WHERE key = ?1",
    ] {
        conn.prepare_cached(table)?.execute([key])?;
    }
    Ok(())
}

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
            queue.map(|place| &place.queue),
            queue.and_then(|place| place.key.as_ref()),
            queue.map_or(0, |place| place.priority),
            schedule.next_at.map(Timestamp::as_millis),
            schedule.last.as_ref().map(ExecutionId::as_str),
            schedule.paused,
            sums::of_schedule(schedule),
        ])?;
        session.news.note_due();
        Ok(())
    }
}

/// Forgets a schedule.
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

/// Fires a schedule, unless it was changed meanwhile.
pub(crate) struct Fire(pub(crate) Firing);

impl Write for Fire {
    type Answer = bool;

    fn run(&self, conn: &Connection, session: &Session) -> Result<bool, Fault> {
        let Self(firing) = self;
        let update = "UPDATE schedules SET next_at = ?3, last = ?4, revision = revision + 1 WHERE name = ?1 AND \
                      revision = ?2";
        let moved = conn.prepare_cached(update)?.execute(params![
            firing.schedule.as_str(),
            firing.revision.cast_signed(),
            firing.next_at.map(Timestamp::as_millis),
            firing.last.as_ref().map(ExecutionId::as_str),
        ])?;
        if moved == 0 {
            return Ok(false);
        }
        for new in &firing.start {
            insert(conn, session, &Execution::queued(new.clone()))?;
        }
        Ok(true)
    }
}
