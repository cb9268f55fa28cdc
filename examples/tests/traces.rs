//! Two processes run one execution, and a receiver in the test gets their spans.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use durable::store::{ExecutionStatus, ExecutionStore};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::*;

const ROLE: &str = "TRACES_ROLE";
const ENDPOINT: &str = "TRACES_ENDPOINT";
const STORE: &str = "TRACES_STORE";

/// Spans that the receiver got.
type Spans = Arc<Mutex<Vec<Span>>>;

/// Starts an OTLP receiver and returns its endpoint.
async fn receive(spans: Spans) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let export = move |body: Bytes| async move {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let resources = request.resource_spans.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        let received = scopes.flat_map(|scope| scope.spans);
        spans.lock().unwrap().extend(received);
    };
    let router = Router::new().route("/v1/traces", post(export));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}/v1/traces")
}

/// Runs [`process`] in a process of its own.
async fn run_process(role: &'static str, endpoint: &str, store: &Path) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["tests::process", "--exact", "--nocapture"])
        .env(ROLE, role)
        .env(ENDPOINT, endpoint)
        .env(STORE, store);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    assert!(output.status.success(), "{role}: {output:#?}");
}

/// Body of the two processes: the first one starts the order and works until it is suspended, the second one works until
/// its end. Does nothing as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let exported = export_to(&std::env::var(ENDPOINT).unwrap()).unwrap();
    let store = SqliteStore::open(std::env::var(STORE).unwrap())
        .await
        .unwrap();
    let status = match &*role {
        "first" => ExecutionStatus::Suspended,
        _ => ExecutionStatus::Succeeded,
    };
    if role == "first" {
        start(&store, "order-7").await.unwrap();
    }
    let id = "order-7".parse().unwrap();
    let reached = async {
        while store.get(&id).await.unwrap().status != status {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    worker(&store).run_until(reached).await.unwrap();
    tokio::task::spawn_blocking(move || exported.shutdown().unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn invocations_in_two_processes_are_one_trace() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.db");
    let spans = Spans::default();
    let endpoint = receive(Arc::clone(&spans)).await;
    run_process("first", &endpoint, &path).await;
    let first = spans.lock().unwrap().len();
    run_process("second", &endpoint, &path).await;

    let spans = spans.lock().unwrap();
    let named = |name: &str, handler: Option<&str>| -> Vec<&Span> {
        let named = spans.iter().filter(|span| span.name == name);
        named
            .filter(|span| handler.is_none_or(|handler| attribute(span, "handler") == handler))
            .collect()
    };
    let [request] = named("request", None)[..] else {
        panic!("one request: {spans:#?}");
    };
    for span in spans.iter() {
        assert_eq!(span.trace_id, request.trace_id, "{span:#?}");
    }
    let [before, after] = named("execution", Some("order"))[..] else {
        panic!("two invocations: {spans:#?}");
    };
    for invocation in [before, after] {
        assert_eq!(invocation.parent_span_id, request.span_id);
        assert_eq!(attribute(invocation, "execution"), "order-7");
    }
    let in_first_process = |span: &Span| {
        spans[..first]
            .iter()
            .any(|known| known.span_id == span.span_id)
    };
    assert!(in_first_process(before) && !in_first_process(after));
    for child in named("execution", Some("ship")) {
        assert_eq!(
            child.parent_span_id, after.span_id,
            "the invocation that started it"
        );
    }
    let parent_of = |operation: &str| {
        let mut bodies = named("operation", None).into_iter();
        let body = bodies.find(|span| attribute(span, "operation") == operation);
        body.map(|span| span.parent_span_id.clone())
    };
    assert_eq!(
        parent_of("order/reserve").or_else(|| parent_of("reserve")),
        Some(before.span_id.clone())
    );
    let child = named("execution", Some("ship"))[0];
    assert_eq!(parent_of("hand over"), Some(child.span_id.clone()));
}

fn attribute(span: &Span, key: &str) -> String {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;

    let found = span
        .attributes
        .iter()
        .find(|attribute| attribute.key == key);
    match found.and_then(|found| found.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        _ => String::new(),
    }
}
