//! Counts of executions by handler and status.

use durable_core::Timestamp;
use durable_core::store::{Count, Counts, ExecutionStatus, StoreError, StoreErrorKind};

use crate::connection::{Conn, params};
use crate::database::{Attempt, Work};
use crate::error::Fault;
use crate::session::Counters;
use crate::text::original;

/// Recursive query `groups`: every status of every handler, with one search of the index for each.
macro_rules! with_groups {
    () => {
        "WITH RECURSIVE groups AS ((SELECT status, handler FROM @.executions ORDER BY status, handler LIMIT 1) UNION ALL SELECT \
         n.status, n.handler FROM groups g CROSS JOIN LATERAL (SELECT status, handler FROM @.executions WHERE (status, handler) \
         > (g.status, g.handler) ORDER BY status, handler LIMIT 1) n)"
    };
}
pub(crate) use with_groups;

const COUNT_GROUPS: &str = concat!(with_groups!(), " SELECT count(*) FROM groups");

/// The last change is that among the executions of a group that were started last.
const COUNT: &str = concat!(
    with_groups!(),
    " SELECT g.handler, g.status, (SELECT count(*) FROM (SELECT 1 FROM @.executions WHERE status = g.status AND handler = \
      g.handler LIMIT $1) AS c), (SELECT created_at FROM @.executions WHERE status = g.status AND handler = g.handler ORDER BY \
      created_at LIMIT 1), (SELECT max(updated_at) FROM (SELECT updated_at FROM @.executions WHERE status = g.status AND \
      handler = g.handler ORDER BY created_at DESC, id DESC LIMIT 100) AS u) FROM groups g"
);

/// Counts executions by handler and status; about so many entries of an index are read.
pub(crate) struct CountAll(pub(crate) usize);

impl Work for CountAll {
    type Answer = Counts;
    const TRANSACTION: bool = false;

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<Counts, Fault> {
        Counters::add(&attempt.session.counters.reads, 1);
        let groups = conn.query(COUNT_GROUPS, params![]).await?;
        let groups = groups.first().map(|row| row.try_get::<i64>(0));
        let groups = usize::try_from(groups.transpose()?.unwrap_or_default()).unwrap_or_default();
        let share = Counts::share(self.0, groups);
        let most = i64::try_from(share).unwrap_or(i64::MAX).saturating_add(1);
        let mut counts = Vec::new();
        for row in conn.query(COUNT, params![most => INT8]).await? {
            let word: &str = row.try_get(1)?;
            let status = ExecutionStatus::from_word(word).ok_or_else(|| {
                let location = &attempt.session.location;
                let message = format!(
                    "an execution in PostgreSQL at {location} has the unknown status `{word}`"
                );
                StoreError::new(StoreErrorKind::Corrupt, message)
            })?;
            // The last ones of a group may have left it meanwhile.
            let time = |index| row.try_get::<Option<i64>>(index);
            let (Some(oldest), Some(updated)) = (time(3)?, time(4)?) else {
                continue;
            };
            counts.push(Count {
                handler: original(row.try_get(0)?),
                status,
                executions: row.try_get::<i64>(2)?.unsigned_abs(),
                oldest: Timestamp::from_millis(oldest),
                updated: Timestamp::from_millis(updated),
                complete: true,
            });
        }
        Ok(Counts::within(self.0, share, counts))
    }
}
