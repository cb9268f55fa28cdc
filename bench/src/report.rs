//! Machine-readable result lines.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::process;
use crate::samples::{Spread, rounded};
use crate::settings::Settings;

pub use crate::samples::Samples;

/// Result of one run of a workload.
#[derive(Serialize)]
pub struct Line<'a> {
    library: &'static str,
    workload: &'a str,
    store: &'a str,
    /// Filter of a listing.
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<&'a str>,
    run: u32,
    n: u32,
    steps: u32,
    concurrency: usize,
    threads: usize,
    unit: &'a str,
    #[serde(flatten)]
    spread: Spread,
    /// Operations per second.
    per_s: f64,
    /// Transactions that wrote something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<u64>,
    /// Statements sent to PostgreSQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statements: Option<u64>,
    /// Loads and other reads of the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads: Option<u64>,
    /// Bytes that the process has passed to the operating system for writing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Allocations per step, counted in a separate run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocations_per_step: Option<f64>,
    peak_rss_kib: u64,
    /// The same work without the library.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    floors: Vec<Floor>,
    #[serde(flatten)]
    more: BTreeMap<&'static str, f64>,
}

/// The same work without the library, and the ratio of the medians.
#[derive(Serialize)]
struct Floor {
    floor: &'static str,
    #[serde(flatten)]
    spread: Spread,
    ratio: f64,
}

impl<'a> Line<'a> {
    /// Creates the line of a run from samples in microseconds.
    pub fn new(
        workload: &'a str,
        store: &'a str,
        settings: &Settings,
        unit: &'a str,
        samples: &Samples,
    ) -> Self {
        let spread = samples.spread();
        Self {
            library: "durable",
            workload,
            store,
            filter: None,
            run: settings.run,
            n: settings.n,
            steps: settings.steps,
            concurrency: settings.concurrency,
            threads: settings.threads,
            unit,
            spread,
            per_s: spread.per_second(unit),
            commits: None,
            statements: None,
            reads: None,
            bytes: None,
            allocations_per_step: None,
            peak_rss_kib: process::peak_rss_kib(),
            floors: Vec::new(),
            more: BTreeMap::new(),
        }
    }

    /// Adds a floor, if it was measured.
    pub fn floor(mut self, name: &'static str, samples: &Samples) -> Self {
        let spread = samples.spread();
        if !samples.is_empty() {
            self.floors.push(Floor {
                floor: name,
                spread,
                ratio: rounded(self.spread.p50 / spread.p50),
            });
        }
        self
    }

    /// Sets the filter of a listing.
    pub fn filter(mut self, name: &'a str) -> Self {
        self.filter = Some(name);
        self
    }

    /// Adds a field that only this workload has.
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        self.more.insert(name, rounded(value));
        self
    }

    /// Prints the line as JSON.
    pub fn print(&self) -> Result<(), serde_json::Error> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}
