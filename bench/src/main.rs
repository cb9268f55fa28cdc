//! Benchmarks that compare the library with the same work without it: `durable-bench replay --n 10000`.
//!
//! Each run prints one JSON line. `bench/README.md` describes its fields.

mod allocations;
mod batches;
mod call_sites;
mod compile;
mod flags;
mod floor;
mod floors;
mod many;
mod opened;
mod pages;
mod point;
mod postgres;
mod process;
mod replay;
mod report;
mod resume;
mod row;
mod samples;
mod sequential;
mod settings;
mod sleeping;
mod start_latency;
mod steps;
mod wake;

use clap::Parser;
use durable::prelude::BoxError;
use flags::runtime;
use settings::{Arguments, Settings, Workload};

fn main() -> Result<(), BoxError> {
    let arguments = Arguments::parse();
    #[cfg(feature = "metrics")]
    if arguments.metrics {
        // The exporter needs a runtime.
        let runtime = runtime(1)?;
        let _guard = runtime.enter();
        metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder()?;
    }
    for settings in arguments.runs() {
        if arguments.workload == Workload::Compile {
            compile::measure(&settings)?;
        } else {
            runtime(settings.threads)?.block_on(measure(arguments.workload, &settings))?;
        }
    }
    Ok(())
}

async fn measure(workload: Workload, settings: &Settings) -> Result<(), BoxError> {
    match workload {
        Workload::Sequential => sequential::measure(settings).await,
        Workload::Replay => replay::measure(settings).await,
        Workload::Many => many::measure(settings).await,
        Workload::StartLatency => start_latency::measure(settings).await,
        Workload::Wake => wake::measure(settings).await,
        Workload::Sleeping => sleeping::measure(settings).await,
        Workload::Resume => resume::measure(settings).await,
        Workload::Batches => batches::measure(settings).await,
        Workload::Pages => pages::measure(settings).await,
        Workload::Floor => floors::measure(settings).await,
        Workload::Compile => compile::measure(settings),
    }
}
