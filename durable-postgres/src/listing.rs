//! Listings of executions.

use std::borrow::Cow;
use std::fmt::Write;

use durable_core::store::{Execution, Filter, Order};
use durable_core::{ExecutionId, Labels, Timestamp};

use crate::connection::{Conn, Param, params};
use crate::counts::with_groups;
use crate::database::{Attempt, Work};
use crate::error::Fault;
use crate::rows::{self, execution_columns};
use crate::session::Counters;
use crate::text::stored;

/// Lists executions in the order of their ids.
pub(crate) struct List(pub(crate) Filter);

impl Work for List {
    type Answer = Vec<Execution>;
    const TRANSACTION: bool = false;

    async fn run(
        &self,
        conn: &Conn<'_>,
        attempt: &mut Attempt<'_>,
    ) -> Result<Vec<Execution>, Fault> {
        Counters::add(&attempt.session.counters.reads, 1);
        let Self(filter) = self;
        let is_rare = self.has_rare_label(conn).await?;
        let text = match filter.order {
            Order::Newest { .. } => NEWEST.replace("$page", &self.newest(is_rare)),
            _ => LISTED.replace("$page", &self.page()),
        };
        let text = conn.qualified(&text);
        let (time, id) = self.cursor();
        let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
        // Ids are ASCII, so every id with this prefix sorts before it.
        let beyond = filter
            .prefix
            .as_ref()
            .map(|prefix| format!("{prefix}\u{10ffff}"));
        let (labels, values) = label_arrays(&filter.labels);
        let all: &[Param<'_>] = params![
            i64::try_from(filter.page_size()).unwrap_or(i64::MAX) => INT8,
            filter.after.as_ref().map(ExecutionId::as_str) => TEXT,
            filter.prefix => TEXT,
            beyond => TEXT,
            filter.handler.as_deref().map(stored) => TEXT,
            filter.queue.as_deref().map(stored) => TEXT,
            millis(filter.created_from) => INT8,
            millis(filter.created_before) => INT8,
            millis(filter.updated_before) => INT8,
            filter.paused => BOOL,
            labels => TEXT_ARRAY,
            values => TEXT_ARRAY,
            time => INT8,
            id => TEXT,
        ];
        let found = conn.query_once(&text, all).await?;
        let location = &attempt.session.location;
        found
            .iter()
            .map(|row| Ok(rows::existing(row, location)?.execution))
            .collect()
    }
}

/// Finds the keys of a page by index, then fetches the rows of that page only.
const LISTED: &str = concat!(
    "SELECT ",
    execution_columns!(),
    " FROM (SELECT key AS k FROM ($page) AS part ORDER BY id LIMIT $1) AS page JOIN @.executions ON key = k ORDER BY id"
);

/// The same for a listing with the newest first.
const NEWEST: &str = concat!(
    "SELECT ",
    execution_columns!(),
    " FROM (SELECT key AS k FROM ($page) AS part ORDER BY created_at DESC, id DESC LIMIT $1) AS page JOIN @.executions ON \
      key = k ORDER BY created_at DESC, id DESC"
);

/// Labels that fewer executions have are looked up; for others, executions are searched in the order of the listing.
const FEW: i64 = 1000;

/// Conditions of all parts of a listing; each is used if the filter sets it.
const CONDITIONS: [&str; 9] = [
    "id > $2",
    "id >= $3",
    "id < $4",
    "handler = $5",
    "queue = $6",
    "created_at >= $7",
    "created_at < $8",
    "updated_at < $9",
    "paused = $10",
];

impl List {
    /// Conditions that the filter sets.
    fn shared(&self) -> String {
        let Self(filter) = self;
        let given = [
            filter.after.is_some(),
            filter.prefix.is_some(),
            filter.prefix.is_some(),
            filter.handler.is_some(),
            filter.queue.is_some(),
            filter.created_from.is_some(),
            filter.created_before.is_some(),
            filter.updated_before.is_some(),
            filter.paused.is_some(),
        ];
        conditions(given)
    }

    /// Query for the keys and ids of the page. Each status has its own subquery, as the index is in
    /// the order of ids only within one status.
    fn page(&self) -> String {
        let Self(filter) = self;
        let mut shared = self.shared();
        let (from, order) = match filter.labels.is_empty() {
            true => ("@.executions WHERE", "id"),
            false => {
                self.narrow_labelled(&mut shared);
                (LABELLED, "l.execution_id")
            }
        };
        let part = |condition: &str| {
            format!("(SELECT key, id FROM {from} {condition}{shared} ORDER BY {order} LIMIT $1)")
        };
        if filter.status.is_empty() {
            return part("true");
        }
        let parts = filter.status.iter();
        let parts: Vec<_> = parts
            .map(|status| part(&format!("status = '{}'", status.as_str())))
            .collect();
        parts.join(" UNION ALL ")
    }

    /// Repeats the conditions on `id` for `execution_id` in the index of labels, and adds the labels after the first.
    fn narrow_labelled(&self, shared: &mut String) {
        let Self(filter) = self;
        let given = [
            filter.after.is_some(),
            filter.prefix.is_some(),
            filter.prefix.is_some(),
        ];
        for (condition, given) in CONDITIONS.iter().zip(given) {
            if given {
                let _ = write!(shared, " AND l.execution_{condition}");
            }
        }
        for number in 2..=filter.labels.len() {
            let _ = write!(
                shared,
                " AND EXISTS (SELECT 1 FROM @.labels o WHERE o.label = ($11::text[])[{number}] AND o.value = \
                 ($12::text[])[{number}] AND o.execution_id = l.execution_id)"
            );
        }
    }
}

/// Joins the conditions that are given.
fn conditions(given: [bool; 9]) -> String {
    let mut shared = String::new();
    for (condition, given) in CONDITIONS.iter().zip(given) {
        if given {
            let _ = write!(shared, " AND {condition}");
        }
    }
    shared
}

impl List {
    /// Query for the keys, start times and ids of a page with the newest first. Each status of each handler has its own
    /// subquery, as the index is in the order of the start only within one.
    fn newest(&self, is_rare: bool) -> String {
        let Self(filter) = self;
        let mut shared = self.shared();
        let first = if is_rare { 2 } else { 1 };
        for number in first..=filter.labels.len() {
            let _ = write!(
                shared,
                " AND EXISTS (SELECT 1 FROM @.labels o WHERE o.label = ($11::text[])[{number}] AND o.value = \
                 ($12::text[])[{number}] AND o.execution_id = e.id)"
            );
        }
        let part = |from: &str| {
            format!(
                "SELECT e.key, e.created_at, e.id FROM {from} (e.created_at, e.id) < ($13, $14){shared} ORDER BY e.created_at \
                 DESC, e.id DESC LIMIT $1"
            )
        };
        let words = filter.status.iter();
        let words: Vec<_> = words
            .map(|status| format!("'{}'", status.as_str()))
            .collect();
        let is_wanted = |column: &str| match words.is_empty() {
            true => "true".to_owned(),
            false => format!("{column} IN ({})", words.join(", ")),
        };
        if is_rare {
            let status = is_wanted("e.status");
            return part(&format!(
                "@.labels l JOIN @.executions e ON e.key = l.execution WHERE l.label = ($11::text[])[1] AND l.value = \
                 ($12::text[])[1] AND {status} AND"
            ));
        }
        if filter.status.is_empty() && filter.handler.is_none() {
            return part("@.executions e WHERE");
        }
        let status = is_wanted("g.status");
        let handler = filter.handler.as_ref().map_or("true", |_| "g.handler = $5");
        let group = part("@.executions e WHERE e.status = g.status AND e.handler = g.handler AND");
        format!(
            "{} SELECT p.key, p.created_at, p.id FROM groups g CROSS JOIN LATERAL ({group}) p WHERE {status} AND {handler}",
            with_groups!()
        )
    }

    async fn has_rare_label(&self, conn: &Conn<'_>) -> Result<bool, Fault> {
        let Self(filter) = self;
        let is_newest = matches!(filter.order, Order::Newest { .. });
        let Some((label, value)) = filter.labels.iter().next().filter(|_| is_newest) else {
            return Ok(false);
        };
        let count = "SELECT count(*) FROM (SELECT 1 FROM @.labels WHERE label = $1 AND value = $2 LIMIT $3) AS l";
        let value = stored(value);
        let rows = conn
            .query(count, params![label => TEXT, value => TEXT, FEW => INT8])
            .await?;
        let count = rows.first().map(|row| row.try_get::<i64>(0)).transpose()?;
        Ok(count.is_none_or(|count| count < FEW))
    }

    /// Start time and id of which the executions of a page with the newest first are smaller.
    fn cursor(&self) -> (i64, &str) {
        match &self.0.order {
            Order::Newest {
                after: Some((time, id)),
            } => (time.as_millis(), id.as_str()),
            // Ids are ASCII.
            _ => (i64::MAX, "\u{10ffff}"),
        }
    }
}

/// Executions with the first label of the filter.
const LABELLED: &str = "@.labels l JOIN @.executions ON key = l.execution WHERE l.label = ($11::text[])[1] AND l.value = \
                        ($12::text[])[1] AND";

/// Returns keys and values of labels as the database stores them.
pub(crate) fn label_arrays(labels: &Labels) -> (Vec<&str>, Vec<Cow<'_, str>>) {
    labels
        .iter()
        .map(|(label, value)| (label, stored(value)))
        .unzip()
}
