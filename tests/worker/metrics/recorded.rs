//! What a recorder got.

use std::collections::{BTreeMap, BTreeSet};

use metrics_util::debugging::{DebugValue, DebuggingRecorder};

/// Value of each metric by its name and labels, in the form `name{key=value,…}`.
#[derive(Debug)]
pub(super) struct Recorded(BTreeMap<String, DebugValue>);

impl Recorded {
    /// Drains the recorder. Checks that every metric has a unit and a description, and only labels of few values.
    pub(super) fn by(recorder: &DebuggingRecorder) -> Self {
        let allowed = ["handler", "status", "kind", "queue", "outcome"];
        let mut values = BTreeMap::new();
        for (key, unit, description, value) in recorder.snapshotter().snapshot().into_vec() {
            let key = key.key();
            assert!(
                unit.is_some() && description.is_some(),
                "{key} is described"
            );
            for label in key.labels() {
                assert!(allowed.contains(&label.key()), "label of {key}");
            }
            let labels = key
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()));
            let labels: Vec<_> = labels.collect();
            values.insert(format!("{}{{{}}}", key.name(), labels.join(",")), value);
        }
        Self(values)
    }

    pub(super) fn count(&self, key: &str) -> u64 {
        match self.0.get(key) {
            None => 0,
            Some(DebugValue::Counter(count)) => *count,
            Some(other) => panic!("{key} is not a counter: {other:?}"),
        }
    }

    pub(super) fn gauge(&self, key: &str) -> Option<f64> {
        self.0.get(key).map(|value| match value {
            DebugValue::Gauge(value) => value.into_inner(),
            other => panic!("{key} is not a gauge: {other:?}"),
        })
    }

    pub(super) fn samples(&self, key: &str) -> Vec<f64> {
        match self.0.get(key) {
            None => Vec::new(),
            Some(DebugValue::Histogram(values)) => values.iter().map(|v| v.into_inner()).collect(),
            Some(other) => panic!("{key} is not a histogram: {other:?}"),
        }
    }

    pub(super) fn names(&self) -> BTreeSet<&str> {
        self.0
            .keys()
            .filter_map(|key| key.split('{').next())
            .collect()
    }
}
