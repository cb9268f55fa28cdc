//! One trace for an order, whichever processes work on it. Spans are exported with OTLP, to Jaeger or any other collector.
//!
//! ```text
//! cargo run --example traces -- work          # in one terminal, stopped and started again at will
//! cargo run --example traces -- start order-7 # in another
//! ```
//!
//! Spans go to `http://localhost:4318/v1/traces`, where a collector on this machine listens.

use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::{Client, Worker};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Instrument as _;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

#[durable]
async fn order(item: String) -> Result<String, BoxError> {
    let reserved = step!("reserve", reserve(&item)).await?;
    // The execution is suspended here. Whichever worker resumes it continues the trace.
    wait!("settle", 2.seconds()).await;
    Ok(invoke!("parcel", ship(reserved)).await?)
}

#[durable]
async fn ship(item: String) -> Result<String, BoxError> {
    Ok(step!("hand over", hand_over(&item)).await?)
}

fn reserve(item: &str) -> Result<String, BoxError> {
    Ok(format!("{item}, reserved"))
}

fn hand_over(item: &str) -> Result<String, BoxError> {
    Ok(format!("{item} and shipped"))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let exported = export_to("http://localhost:4318/v1/traces")?;
    let store = SqliteStore::open("orders.db").await?;
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["start", id] => start(&store, id).await?,
        ["work"] => worker(&store).run().await?,
        _ => return Err("expected `start ID` or `work`".into()),
    }
    exported.shutdown()?;
    Ok(())
}

/// Exports the spans of this process. Call `shutdown` on the result at the end.
fn export_to(endpoint: &str) -> Result<SdkTracerProvider, BoxError> {
    let exporter = SpanExporter::builder().with_http().with_endpoint(endpoint);
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter.build()?);
    let provider = provider.build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("orders"));
    // The spans of `durable` have the level `INFO`.
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(LevelFilter::INFO));
    tracing::subscriber::set_global_default(subscriber)?;
    Ok(provider)
}

/// Starts an order within a span, as the handler of a request does. The execution keeps the position of the span.
async fn start(store: &SqliteStore, id: &str) -> Result<(), BoxError> {
    let client = Client::new(store.clone());
    let request = tracing::info_span!("request", order = id);
    let start = async { client.start(order, id, "chair".to_owned()).await };
    start.instrument(request).await?;
    Ok(())
}

fn worker(store: &SqliteStore) -> Worker {
    Worker::new(store.clone()).register(order).register(ship)
}

#[cfg(test)]
#[path = "tests/traces.rs"]
mod tests;
