//! Listings with the newest execution first, and those of few executions.

use std::path::Path;

use durable_core::Timestamp;
use durable_core::store::{Execution, ExecutionStatus, Filter, Order};
use rusqlite::{Connection, ToSql, named_params};

use super::counts::{COUNT, Group, OnGroup, groups};
use super::{bounds, by_key, status_words};
use crate::error::Fault;

/// Labels, states, queues and prefixes that fewer executions have are looked up; for others, executions are searched in the
/// order of the listing, and are found soon.
const FEW: i64 = 4000;

/// Finds keys from `$from` in the order `$order`.
macro_rules! select_keys {
    ($from:expr, $order:literal) => {
        concat!(
            "SELECT key, created_at, id FROM ",
            $from,
            " (created_at, id) < (:time, :id) AND created_at >= :from AND id >= :first AND id < :end AND (:queue IS NULL OR queue = :queue) AND (:updated IS NULL OR updated_at < :updated) \
             AND (:paused IS NULL OR paused = :paused) AND (:labels IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(:labels) \
             AS w WHERE NOT EXISTS (SELECT 1 FROM labels AS o WHERE o.label = w.key AND o.value = w.value AND \
             o.execution_id = executions.id))) ORDER BY ",
            $order,
            " LIMIT :limit"
        )
    };
}

pub(super) const SELECT_ALL: &str = select_keys!(
    "executions INDEXED BY executions_started WHERE",
    "created_at DESC, id DESC"
);

macro_rules! select_group {
    ($order:literal) => {
        OnGroup {
            not_running: select_keys!(
                "executions INDEXED BY executions_state WHERE status <> 'running' AND status = :status AND handler = \
                 :handler AND",
                $order
            ),
            running: select_keys!(
                "leases CROSS JOIN executions ON key = execution WHERE status = :status AND handler = :handler AND",
                $order
            ),
        }
    };
}

pub(super) const SELECT_GROUP: OnGroup = select_group!("created_at DESC, id DESC");

const SELECT_GROUP_BY_ID: OnGroup = select_group!("id");

/// `:status` is a JSON array.
const SELECT_LABEL: &str = select_keys!(
    "labels AS l CROSS JOIN executions ON key = l.execution WHERE l.label = :label AND l.value = :value AND (:status IS NULL \
     OR status IN (SELECT value FROM json_each(:status))) AND (:handler IS NULL OR handler = :handler) AND",
    "created_at DESC, id DESC"
);

/// Limits a search to executions with keys from `$keys`. `:status` is a JSON array.
macro_rules! select_few {
    ($keys:literal) => {
        select_keys!(
            concat!(
                "(SELECT key AS k FROM executions ",
                $keys,
                ") CROSS JOIN executions ON key = k WHERE (:status IS NULL OR status IN (SELECT value FROM \
                 json_each(:status))) AND (:handler IS NULL OR handler = :handler) AND"
            ),
            "created_at DESC, id DESC"
        )
    };
}

pub(super) const SELECT_QUEUE: &str =
    select_few!("INDEXED BY executions_queue WHERE queue = :queue");

pub(super) const SELECT_PREFIX: &str = select_few!("WHERE id >= :first AND id < :end");

/// Execution found by an index: start time, id and key. Larger ones come first.
type Found = (i64, String, i64);

pub(super) fn newest(
    conn: &Connection,
    path: &Path,
    filter: &Filter,
) -> Result<Vec<Execution>, Fault> {
    let mut found = find(conn, filter)?;
    found.sort_by(|a, b| b.cmp(a));
    found.truncate(filter.page_size());
    fetch(conn, path, found)
}

/// Lists executions in the order of their ids, if few have the statuses and the handler of the filter.
pub(super) fn few_by_id(
    conn: &Connection,
    path: &Path,
    filter: &Filter,
) -> Result<Option<Vec<Execution>>, Fault> {
    let search = Search { conn, filter };
    let is_narrow = !filter.status.is_empty() || filter.handler.is_some();
    if !is_narrow || !filter.labels.is_empty() {
        return Ok(None);
    }
    let groups = search.groups()?;
    let mut left = FEW;
    for group in &groups {
        let mut count = conn.prepare_cached(COUNT.select(group))?;
        let of = (&group.status, &group.handler, left);
        let size: i64 = count.query_row(of, |row| row.get(0))?;
        left -= size;
        if left <= 0 {
            return Ok(None);
        }
    }
    let mut found = Vec::new();
    for group in &groups {
        found.extend(search.run_on(&SELECT_GROUP_BY_ID, group)?);
    }
    found.sort_by(|a, b| a.1.cmp(&b.1));
    found.truncate(filter.page_size());
    fetch(conn, path, found).map(Some)
}

fn fetch(conn: &Connection, path: &Path, found: Vec<Found>) -> Result<Vec<Execution>, Fault> {
    let mut executions = Vec::with_capacity(found.len());
    for (_, _, key) in found {
        if let Some(execution) = by_key(conn, path, key)? {
            executions.push(execution?);
        }
    }
    Ok(executions)
}

/// Finds at least the executions of the page.
fn find(conn: &Connection, filter: &Filter) -> Result<Vec<Found>, Fault> {
    let search = Search { conn, filter };
    if let Some(select) = search.of_few()? {
        let status = status_words(filter);
        return search.run(select, status.as_deref(), filter.handler.as_deref());
    }
    if filter.status.is_empty() && filter.handler.is_none() {
        return search.run(SELECT_ALL, None, None);
    }
    let mut found = Vec::new();
    for group in search.groups()? {
        found.extend(search.run_on(&SELECT_GROUP, &group)?);
    }
    Ok(found)
}

struct Search<'a> {
    conn: &'a Connection,
    filter: &'a Filter,
}

impl Search<'_> {
    /// Returns the groups with executions that the filter may select.
    fn groups(&self) -> Result<Vec<Group>, Fault> {
        let statuses: Vec<ExecutionStatus> = match self.filter.status.as_slice() {
            [] => ExecutionStatus::ALL.to_vec(),
            given => given.to_vec(),
        };
        let is_wanted = |word: &str| statuses.iter().any(|status| status.as_str() == word);
        if let Some(handler) = &self.filter.handler {
            let group = |status: ExecutionStatus| Group {
                status: status.as_str().to_owned(),
                handler: handler.clone(),
            };
            let words = ExecutionStatus::ALL.into_iter();
            let words = words.filter(|status| is_wanted(status.as_str()));
            return Ok(words.map(group).collect());
        }
        let mut groups = groups(self.conn)?;
        groups.retain(|group| is_wanted(&group.status));
        Ok(groups)
    }

    /// Search among the executions with the label, the queue or the prefix of the filter, if few have it.
    fn of_few(&self) -> Result<Option<&'static str>, Fault> {
        let filter = self.filter;
        if let Some((label, value)) = filter.labels.iter().next()
            && self.are_few("labels WHERE label = ?1 AND value = ?2", label, value)?
        {
            return Ok(Some(SELECT_LABEL));
        }
        let of_queue = "executions INDEXED BY executions_queue WHERE queue = ?1 AND id >= ?2";
        if let Some(queue) = &filter.queue
            && self.are_few(of_queue, queue, "")?
        {
            return Ok(Some(SELECT_QUEUE));
        }
        let (first, end) = bounds(filter);
        let between = "executions WHERE id >= ?1 AND id < ?2";
        let is_given = filter.prefix.is_some();
        let few = is_given && self.are_few(between, &first, &end)?;
        Ok(few.then_some(SELECT_PREFIX))
    }

    fn are_few(&self, rows: &str, first: &str, second: &str) -> Result<bool, Fault> {
        let count = format!("SELECT count(*) FROM (SELECT 1 FROM {rows} LIMIT ?3)");
        let mut count = self.conn.prepare_cached(&count)?;
        let count: i64 = count.query_row((first, second, FEW), |row| row.get(0))?;
        Ok(count < FEW)
    }

    fn run_on(&self, select: &OnGroup, group: &Group) -> Result<Vec<Found>, Fault> {
        let select = select.select(group);
        self.run(select, Some(&group.status), Some(&group.handler))
    }

    fn run(
        &self,
        select: &str,
        status: Option<&str>,
        handler: Option<&str>,
    ) -> Result<Vec<Found>, Fault> {
        let filter = self.filter;
        let (time, id) = self.cursor();
        let (first, end) = bounds(filter);
        let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
        let label = filter.labels.iter().next();
        let parameters: &[(&str, &dyn ToSql)] = named_params! {
            ":time": time,
            ":id": id,
            ":from": millis(filter.created_from).unwrap_or(i64::MIN),
            ":first": first,
            ":end": end,
            ":queue": filter.queue,
            ":updated": millis(filter.updated_before),
            ":paused": filter.paused,
            ":labels": filter.labels.encode(),
            ":status": status,
            ":handler": handler,
            ":label": label.map(|(label, _)| label),
            ":value": label.map(|(_, value)| value),
            ":limit": i64::try_from(filter.page_size()).unwrap_or(i64::MAX),
        };
        let mut statement = self.conn.prepare_cached(select)?;
        for (name, value) in parameters {
            // Each search has some of them.
            if let Some(index) = statement.parameter_index(name)? {
                statement.raw_bind_parameter(index, value)?;
            }
        }
        let rows = statement.raw_query();
        let rows = rows.mapped(|row| Ok((row.get(1)?, row.get(2)?, row.get(0)?)));
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Start time and id of which the executions of the page are smaller.
    fn cursor(&self) -> (i64, &str) {
        let before = self.filter.created_before;
        let before = before.map_or((i64::MAX, "\u{10ffff}"), |time| (time.as_millis(), ""));
        match &self.filter.order {
            Order::Newest {
                after: Some((time, id)),
            } => before.min((time.as_millis(), id.as_str())),
            _ => before,
        }
    }
}
