//! Finds what has changed since the last poll.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

use durable_core::store::{Counts, Execution, StoreErrorKind};
use durable_core::{Client, Clock, ExecutionId, Kind, PublishedValue, SystemClock};
use serde::Serialize;

use super::{PACE, REST, Signal, Topic};
use crate::view::{Row, Timeline};

/// Even without a change of state, running executions progress.
const PROGRESS: Duration = Duration::from_secs(3);

/// State of a topic as of the last poll.
#[derive(Debug, Default)]
pub(super) struct Poll {
    next: Option<Instant>,
    notified: Option<Instant>,
    counts: Option<Counts>,
    execution: Option<u64>,
    rows: HashMap<u64, u64>,
    published: Option<u64>,
    gone: bool,
}

impl Poll {
    /// Polls if it is time to. A store that does not answer is asked again next time.
    pub(super) async fn changes(
        &mut self,
        client: &Client,
        topic: &Topic,
        counted: usize,
    ) -> Vec<Signal> {
        let begun = Instant::now();
        if self.next.is_some_and(|next| begun < next) {
            return Vec::new();
        }
        let signals = match topic {
            Topic::All => self.all(client, counted, begun).await,
            Topic::One(id) => self.one(client, id).await,
        };
        self.next = Some(begun + (begun.elapsed() * REST).max(PACE / 2));
        signals
    }

    async fn all(&mut self, client: &Client, counted: usize, now: Instant) -> Vec<Signal> {
        let Ok(counts) = client.counts(counted).await else {
            return Vec::new();
        };
        let runs = counts
            .counts
            .iter()
            .any(|count| count.status == durable_core::store::ExecutionStatus::Running);
        let stale = self.notified.is_none_or(|at| now - at >= PROGRESS);
        let first = self.counts.is_none();
        let changed = self.counts.as_ref() != Some(&counts);
        self.counts = Some(counts);
        match () {
            () if first => {
                self.notified = Some(now);
                vec![Signal::plain("ready")]
            }
            () if changed || runs && stale => {
                self.notified = Some(now);
                vec![Signal::plain("changed")]
            }
            () => Vec::new(),
        }
    }

    async fn one(&mut self, client: &Client, id: &ExecutionId) -> Vec<Signal> {
        let execution = match client.describe(id).await {
            Ok(execution) => execution,
            Err(error) if error.kind() == StoreErrorKind::NotFound && !self.gone => {
                self.gone = true;
                return vec![Signal::plain("reload")];
            }
            Err(_) => return Vec::new(),
        };
        let Ok(records) = client.history(id).await else {
            return Vec::new();
        };
        let first = self.execution.is_none();
        let timeline = Timeline::new(&execution, &records, SystemClock.now());
        let known = self.rows.len();
        let mut changed: Vec<&Row> = Vec::new();
        for row in &timeline.rows {
            let hash = hash(row);
            if self.rows.insert(row.seq, hash) != Some(hash) {
                changed.push(row);
            }
        }
        let state = hash(&state(&execution));
        let values = records.iter().filter_map(PublishedValue::of);
        let values: Vec<_> = values
            .map(|value| (value.name, value.payload.data, value.count))
            .collect();
        let values = hash(&values);
        let published = self.published.replace(values) != Some(values);
        // A message that is received changes the list of messages.
        let received = changed.iter().any(|row| row.kind == Kind::Receive.as_str());
        let moved = self.execution.replace(state) != Some(state) || received || published;
        if first {
            let version = serde_json::json!({ "version": timeline.version });
            return signal("ready", &version).into_iter().collect();
        }
        if timeline.rows.len() < known {
            // It was rewound.
            let rows = timeline.rows.iter().map(|row| (row.seq, hash(row)));
            self.rows = rows.collect();
            return vec![Signal::plain("reload"), Signal::plain("changed")];
        }
        let mut signals = Vec::new();
        if !changed.is_empty() {
            signals.extend(signal("rows", &changed));
        }
        if moved {
            signals.push(Signal::plain("changed"));
        }
        signals
    }
}

fn signal(name: &'static str, data: &impl Serialize) -> Option<Signal> {
    let data = serde_json::to_string(data).ok()?;
    Some(Signal {
        name,
        data: data.into(),
    })
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn state(execution: &Execution) -> impl Hash + use<> {
    (
        execution.status,
        execution.updated_at.as_millis(),
        execution.changes,
        execution.paused,
        execution.cancel,
        execution.wake_at.map(|at| at.as_millis()),
    )
}
