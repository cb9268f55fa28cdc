//! Machine-readable result lines.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::samples::{Samples, Spread, rounded};
use crate::{Arguments, BoxError, process};

/// Result of one run of a workload.
#[derive(Serialize)]
pub struct Line<'a> {
    library: &'a str,
    workload: &'a str,
    store: &'a str,
    durability: &'a str,
    run: u32,
    n: u32,
    steps: u32,
    concurrency: usize,
    threads: usize,
    unit: &'a str,
    #[serde(flatten)]
    spread: Spread,
    per_s: f64,
    peak_rss_kib: u64,
    #[serde(flatten)]
    more: BTreeMap<&'static str, f64>,
}

impl<'a> Line<'a> {
    /// Creates the line of a run.
    pub fn new(
        library: &'a str,
        arguments: &'a Arguments,
        run: u32,
        unit: &'a str,
        samples: &Samples,
    ) -> Self {
        let spread = samples.spread();
        let workload = arguments.workload.as_str();
        Self {
            library,
            workload,
            store: arguments.store().split(':').next().unwrap_or_default(),
            durability: &arguments.durability,
            run,
            n: arguments.n(),
            steps: match workload {
                "many" | "batches" => arguments.flags.steps,
                _ => arguments.n(),
            },
            concurrency: match workload {
                "many" => arguments.concurrency,
                _ => 1,
            },
            threads: arguments.flags.threads,
            unit,
            spread,
            per_s: spread.per_second(unit),
            peak_rss_kib: process::peak_rss_kib(),
            more: BTreeMap::new(),
        }
    }

    /// Adds a field that only this workload has.
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        self.more.insert(name, rounded(value));
        self
    }

    /// Prints the line as JSON.
    pub fn print(&self) -> Result<(), BoxError> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}
