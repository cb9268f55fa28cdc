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

/// Body of the two processes: the first one starts the order and works until it is suspended, the second one works
/// until its end. As a test, it does nothing.
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
    let find = |name: &str, key: &str, value: &str| -> Vec<&Span> {
        let named = spans.iter().filter(|span| span.name == name);
        named.filter(|span| attribute(span, key) == value).collect()
    };
    let request = find("request", "order", "order-7")[0];
    for span in spans.iter() {
        assert_eq!(span.trace_id, request.trace_id, "{}", span.name);
    }
    // The second invocation starts the child and is suspended until its end, after which a third one may follow.
    let invocations = find("execution", "execution", "order-7");
    let [before, after @ ..] = &invocations[..] else {
        panic!("the order has no invocation");
    };
    assert!(!after.is_empty());
    for invocation in &invocations {
        assert_eq!(invocation.parent_span_id, request.span_id);
    }
    let is_of_first = |span: &Span| {
        spans[..first]
            .iter()
            .any(|other| other.span_id == span.span_id)
    };
    assert!(is_of_first(before) && !after.iter().any(|span| is_of_first(span)));

    let child = find("execution", "handler", "ship")[0];
    assert!(
        after
            .iter()
            .any(|span| child.parent_span_id == span.span_id)
    );
    let reserve = find("operation", "operation", "reserve")[0];
    assert_eq!(reserve.parent_span_id, before.span_id);
    let hand_over = find("operation", "operation", "hand over")[0];
    assert_eq!(hand_over.parent_span_id, child.span_id);
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
