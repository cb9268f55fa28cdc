//! Statistics of a run.

use std::time::Duration;

use serde::Serialize;

/// Median and range of samples.
#[derive(Clone, Copy, Serialize)]
pub struct Spread {
    /// Median.
    pub p50: f64,
    min: f64,
    max: f64,
    p99: f64,
    mean: f64,
}

impl Spread {
    /// Returns the number of operations per second, if the samples are times of operations in the unit `us…`.
    pub fn per_second(&self, unit: &str) -> f64 {
        match self.mean > 0.0 && unit.starts_with("us") {
            true => rounded(1e6 / self.mean),
            false => 0.0,
        }
    }
}

/// Durations in microseconds per operation, or values of another unit, in ascending order.
pub struct Samples(Vec<f64>);

impl Samples {
    /// Creates samples from durations that each cover `per` operations.
    pub fn new(samples: impl IntoIterator<Item = Duration>, per: u32) -> Self {
        let per = f64::from(per.max(1));
        let micros = samples
            .into_iter()
            .map(|sample| sample.as_secs_f64() * 1e6 / per);
        Self::of(micros)
    }

    /// Creates samples in another unit.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        Self(values)
    }

    /// Returns the median.
    pub fn p50(&self) -> f64 {
        self.spread().p50
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the median and the range.
    pub fn spread(&self) -> Spread {
        let last = self.0.len().saturating_sub(1);
        let at = |index: usize| rounded(self.0.get(index.min(last)).copied().unwrap_or_default());
        Spread {
            p50: at(self.0.len() / 2),
            min: at(0),
            max: at(last),
            p99: at(self.0.len() * 99 / 100),
            mean: rounded(self.0.iter().sum::<f64>() / self.0.len().max(1) as f64),
        }
    }
}

/// Rounds to four decimals, which is more than a measurement is precise.
pub fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
