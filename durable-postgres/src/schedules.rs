//! Schedules: settings, and firings that happen exactly once.

use durable_core::store::{Execution, Firing, ScheduleEntry};
use durable_core::{ExecutionId, Timestamp};

use crate::admin::schedule_not_found;
use crate::checksums;
use crate::connection::{Conn, params};
use crate::database::{Attempt, Work};
use crate::error::Fault;
use crate::rows::{self, schedule_columns};
use crate::start;
use crate::text::stored;

const ALL: &str = concat!(
    "SELECT ",
    schedule_columns!(),
    " FROM @.schedules ORDER BY name"
);

const DUE: &str = concat!(
    "SELECT ",
    schedule_columns!(),
    " FROM @.schedules WHERE NOT paused AND next_at <= $1 ORDER BY name"
);

/// Reads the schedules that are due by a time, or all schedules.
pub(crate) struct Read(pub(crate) Option<Timestamp>);

impl Work for Read {
    type Answer = Vec<ScheduleEntry>;
    const TRANSACTION: bool = false;

    async fn run(
        &self,
        conn: &Conn<'_>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Vec<ScheduleEntry>, Fault> {
        let Self(due_by) = self;
        let found = match due_by {
            Some(by) => conn.query(DUE, params![by.as_millis() => INT8]).await?,
            None => conn.query(ALL, &[]).await?,
        };
        let decode = |row| {
            rows::schedule(row).map_err(|damage| {
                let name = row.try_get::<&str>(0).unwrap_or("?");
                let what = format!("schedule `{name}`");
                damage.of(&attempt.session.location, what).into()
            })
        };
        found.iter().map(decode).collect()
    }
}

/// Writes a schedule.
pub(crate) struct Put(pub(crate) ScheduleEntry);

impl Work for Put {
    type Answer = ();

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<(), Fault> {
        let Self(schedule) = self;
        let queue = schedule.queue.as_ref();
        let insert = "INSERT INTO @.schedules AS s (name, plan, handler, input_codec, input, queue, queue_key, priority, \
                      next_at, last, paused, input_checksum, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1) ON \
                      CONFLICT (name) DO UPDATE SET plan = $2, handler = $3, input_codec = $4, input = $5, \
                      input_checksum = $12, queue = $6, queue_key = $7, priority = $8, next_at = $9, last = $10, paused \
                      = $11, revision = s.revision + 1";
        conn.query(
            insert,
            params![
                schedule.name.as_str() => TEXT,
                stored(&schedule.plan) => TEXT,
                stored(&schedule.handler) => TEXT,
                stored(&schedule.input.codec) => TEXT,
                &schedule.input.data[..] => BYTEA,
                queue.map(|entry| stored(&entry.queue)) => TEXT,
                queue.and_then(|entry| entry.key.as_deref().map(stored)) => TEXT,
                queue.map_or(0, |entry| entry.priority) => INT4,
                schedule.next_at.map(Timestamp::as_millis) => INT8,
                schedule.last.as_ref().map(ExecutionId::as_str) => TEXT,
                schedule.paused => BOOL,
                checksums::of_schedule(schedule) => INT4,
            ],
        )
        .await?;
        attempt.events.record_due();
        Ok(())
    }
}

/// Removes a schedule.
pub(crate) struct Remove(pub(crate) ExecutionId);

impl Work for Remove {
    type Answer = ();

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<(), Fault> {
        let Self(name) = self;
        let delete = "DELETE FROM @.schedules WHERE name = $1 RETURNING 1";
        let gone = conn.query(delete, params![name.as_str() => TEXT]).await?;
        if gone.is_empty() && !attempt.unsure {
            return Err(schedule_not_found(&attempt.session.location, name).into());
        }
        Ok(())
    }
}

/// Fires a schedule, unless its revision has changed.
pub(crate) struct Fire(pub(crate) Firing);

impl Work for Fire {
    type Answer = bool;

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<bool, Fault> {
        let Self(firing) = self;
        let update = "UPDATE @.schedules SET next_at = $3, last = $4, revision = revision + 1 WHERE name = $1 AND revision \
                      = $2 RETURNING 1";
        let moved = conn
            .query(
                update,
                params![
                    firing.schedule.as_str() => TEXT,
                    firing.revision.cast_signed() => INT8,
                    firing.next_at.map(Timestamp::as_millis) => INT8,
                    firing.last.as_ref().map(ExecutionId::as_str) => TEXT,
                ],
            )
            .await?;
        if moved.is_empty() {
            return Ok(false);
        }
        let executions: Vec<_> = firing
            .start
            .iter()
            .cloned()
            .map(Execution::queued)
            .collect();
        start::insert(conn, attempt, &executions).await?;
        Ok(true)
    }
}
