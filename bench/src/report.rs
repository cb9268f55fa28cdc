//! Machine-readable result lines.

use std::time::Duration;

use serde::Serialize;

/// Result of one workload.
#[derive(Serialize)]
pub struct Line<'a> {
    /// Name of the workload.
    pub workload: &'a str,
    /// Store of the checkpoints.
    pub store: &'a str,
    /// Number of steps.
    pub n: u32,
    /// Median, in microseconds per step.
    pub us_per_step_p50: f64,
    /// Mean, in microseconds per step.
    pub us_per_step_mean: f64,
    /// Commits of the store, without those for the start and the end of the execution.
    pub commits: u64,
    /// Bytes written by the store.
    pub bytes_written: u64,
}

/// Durations in microseconds per step.
pub struct Samples(Vec<f64>);

impl Samples {
    /// Creates samples from durations that each cover `per` steps.
    pub fn new(samples: impl IntoIterator<Item = Duration>, per: u32) -> Self {
        let per = f64::from(per.max(1));
        let mut micros: Vec<f64> = samples
            .into_iter()
            .map(|sample| sample.as_secs_f64() * 1e6 / per)
            .collect();
        micros.sort_unstable_by(f64::total_cmp);
        Self(micros)
    }

    /// Returns the median.
    pub fn p50(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    /// Returns the mean.
    pub fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / (self.0.len().max(1) as f64)
    }
}

impl Line<'_> {
    /// Prints the line as JSON.
    pub fn print(&self) -> Result<(), serde_json::Error> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}
