//! Operations as bars over time: few bytes each, so that ten thousand are sent at once.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use durable_core::store::Execution;
use durable_core::{OperationId, Record};
use serde::Serialize;

use super::text::{one_line, truncated};
use super::{Secrets, operations};

/// Columns of an error.
const ERROR: usize = 300;

/// Operations of an execution, without their values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Timeline {
    /// Number of the shape: 1.
    pub format: u32,
    /// Time at the server, in milliseconds since 1970.
    pub now: i64,
    /// Differs from that of any other state of the rows, for as long as the server runs.
    pub version: String,
    /// In the order in which they were first written.
    pub rows: Vec<Row>,
}

/// An operation. Times are in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Row {
    /// Position in the order in which operations were first written, from 1.
    pub seq: u64,
    /// `seq` of the scope it is in; 0 at the top.
    pub parent: u64,
    /// Its label, or its name with its key: `load[3]`.
    pub name: String,
    /// What it does: `step`, `wait`, `scope` and so on.
    pub kind: &'static str,
    /// `started`, `pending`, `succeeded`, `failed` or `cancelled`.
    pub status: &'static str,
    /// Attempts begun.
    pub attempts: u32,
    /// How often a body was interrupted by the end of its process.
    pub interruptions: u32,
    /// When it was first started.
    pub started: i64,
    /// When its outcome was settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<i64>,
    /// When a timer ends, the next attempt may begin or a callback times out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<i64>,
    /// First line of its error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Id of its callback or of the execution it invokes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// `file:line` of the call site.
    pub source: String,
    /// Bytes of value and error.
    pub size: usize,
    /// Whether it was taken over from the execution that this one was forked from.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub taken_over: bool,
}

impl Timeline {
    /// Builds the timeline of an execution's history, as of `now`.
    pub fn new(execution: &Execution, records: &[Record], now: durable_core::Timestamp) -> Self {
        let secrets = Secrets::of(records);
        let places: HashMap<OperationId, u64> = records
            .iter()
            .map(|record| (record.id, record.seq))
            .collect();
        let row = |record: &Record| Row {
            seq: record.seq,
            parent: places.get(&record.parent).copied().unwrap_or_default(),
            name: record.display_name(),
            kind: record.kind.as_str(),
            status: record.status.as_str(),
            attempts: record.attempt,
            interruptions: record.interruptions,
            started: record.started_at.as_millis(),
            ended: record.ended_at.map(|at| at.as_millis()),
            due: record.due_at.map(|at| at.as_millis()),
            error: error(record, &secrets),
            handle: record.handle.clone(),
            source: record.source.to_string(),
            size: record.size(),
            taken_over: is_taken_over(execution, record),
        };
        let rows: Vec<Row> = operations(records).map(row).collect();
        let mut hasher = DefaultHasher::new();
        rows.hash(&mut hasher);
        Self {
            format: super::json::FORMAT,
            now: now.as_millis(),
            version: format!("{:016x}", hasher.finish()),
            rows,
        }
    }
}

/// Whether a fork took over the operation. A retry of the fork uses the same positions for operations that it runs anew,
/// which start after the fork.
fn is_taken_over(execution: &Execution, record: &Record) -> bool {
    let origin = execution.forked_from.as_ref();
    origin.is_some_and(|origin| record.seq <= origin.records)
        && record.started_at <= execution.created_at
}

fn error(record: &Record, secrets: &Secrets) -> Option<String> {
    let error = record.error.as_ref()?;
    if record.secret || secrets.hide_error(error) {
        return Some(format!("{} (secret)", error.kind()));
    }
    Some(truncated(&one_line(&error.to_string()), Some(ERROR)))
}
