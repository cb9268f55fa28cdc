//! What differs between two executions, operation by operation.

use std::collections::{HashMap, HashSet};

use durable_core::{OperationError, Payload, Record};
use serde::Serialize;

use super::json::Value;
use super::{Node, Secrets, tree};

/// Two histories side by side. Operations are matched by their names and those of the scopes they are in.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Comparison {
    /// Number of the shape: 1.
    pub format: u32,
    /// Operations of both, in the order of the left history.
    pub pairs: Vec<Pair>,
}

/// An operation in two executions.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Pair {
    /// The operation with the scopes it is in.
    pub path: String,
    /// How many scopes it is in.
    pub depth: usize,
    /// `same`, `differs`, `left` or `right`: in both with the same outcome, in both, or in one only.
    pub verdict: &'static str,
    /// The operation in the left execution.
    pub left: Option<Side>,
    /// The operation in the right execution.
    pub right: Option<Side>,
}

/// Outcome of an operation.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Side {
    /// `seq` of the operation.
    pub seq: u64,
    /// What it does.
    pub kind: &'static str,
    /// How far it has come.
    pub status: &'static str,
    /// Attempts begun.
    pub attempts: u32,
    /// From the start to the outcome, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The value.
    pub value: Option<Value>,
    /// The error; `(secret)` where it must not be shown.
    pub error: Option<String>,
}

impl Comparison {
    /// Compares two histories.
    pub fn new(left: &[Record], right: &[Record]) -> Self {
        let secrets = (Secrets::of(left), Secrets::of(right));
        let (left, right) = (tree(left), tree(right));
        let mut only_right: HashMap<Option<&str>, Vec<&Node<'_>>> = HashMap::new();
        let mut by_path: HashMap<&str, &Node<'_>> = HashMap::new();
        let known: HashSet<&str> = left.iter().map(|node| node.path.as_str()).collect();
        let mut last = None;
        for node in &right {
            match known.contains(node.path.as_str()) {
                true => {
                    by_path.insert(&node.path, node);
                    last = Some(node.path.as_str());
                }
                false => only_right.entry(last).or_default().push(node),
            }
        }
        let mut pairs = Vec::with_capacity(left.len().max(right.len()));
        let places = std::iter::once(None).chain(left.iter().map(Some));
        for node in places {
            if let Some(node) = node {
                let other = by_path.get(node.path.as_str()).copied();
                pairs.push(pair(Some(node), other, &secrets));
            }
            let after = node.map(|node| node.path.as_str());
            let new = only_right.remove(&after).unwrap_or_default();
            pairs.extend(new.into_iter().map(|node| pair(None, Some(node), &secrets)));
        }
        Self {
            format: super::json::FORMAT,
            pairs,
        }
    }
}

fn pair(left: Option<&Node<'_>>, right: Option<&Node<'_>>, secrets: &(Secrets, Secrets)) -> Pair {
    let node = left.or(right);
    Pair {
        path: node.map(|node| node.path.clone()).unwrap_or_default(),
        depth: node.map_or(0, Node::depth),
        verdict: match (left, right) {
            (Some(left), Some(right)) if same(left.record, right.record) => "same",
            (Some(_), Some(_)) => "differs",
            (Some(_), None) => "left",
            _ => "right",
        },
        left: left.map(|node| Side::new(node.record, &secrets.0)),
        right: right.map(|node| Side::new(node.record, &secrets.1)),
    }
}

/// Whether two operations have the same outcome. Secret values are not compared.
fn same(left: &Record, right: &Record) -> bool {
    let hidden = left.secret || right.secret;
    let text = |error: &OperationError| (error.kind(), error.message().to_owned());
    let data = |value: &Payload| (value.codec.clone(), value.data.clone());
    left.status == right.status
        && left.kind == right.kind
        && (hidden
            || left.payload.as_ref().map(data) == right.payload.as_ref().map(data)
                && left.error.as_ref().map(text) == right.error.as_ref().map(text))
}

impl Side {
    fn new(record: &Record, secrets: &Secrets) -> Self {
        let duration = record.ended_at.map(|ended| ended.since(record.started_at));
        let hide = |error: &OperationError| record.secret || secrets.hide_error(error);
        let error = record.error.as_ref().map(|error| match hide(error) {
            true => "(secret)".to_owned(),
            false => error.to_string(),
        });
        Self {
            seq: record.seq,
            kind: record.kind.as_str(),
            status: record.status.as_str(),
            attempts: record.attempt,
            duration_ms: duration.and_then(|time| u64::try_from(time.as_millis()).ok()),
            value: record
                .payload
                .as_ref()
                .map(|value| Value::new(value, record.secret, secrets, false)),
            error,
        }
    }
}
