//! The page over the executions of the local Lambda.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{Server, Settings, encoded};

fn get(server: &Server, path: &str) -> Value {
    let answer = server.call("GET", &format!("/durable/api{path}"), &Value::Null);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

fn post(server: &Server, path: &str, body: &Value) -> u16 {
    let json = [("content-type", "application/json")];
    let path = format!("/durable/api{path}");
    let body = body.to_string();
    server
        .try_call("POST", &path, &json, body.as_bytes())
        .unwrap()
        .status
}

/// The path of the only execution whose id begins with this.
fn only(server: &Server, prefix: &str) -> String {
    let page = get(server, &format!("/executions?prefix={prefix}"));
    let all = page["executions"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{page}");
    format!("/executions/{}", encoded(all[0]["id"].as_str().unwrap()))
}

#[test]
fn executions_of_functions_are_shown_as_timelines() {
    let server = Server::start(Settings::default());
    assert_eq!(server.invoke("steps:$LATEST", &json!(3)).json(), 3);
    server.invoke("broken:$LATEST", &json!(null));
    let path = only(&server, "steps/");
    let execution = get(&server, &path);
    assert_eq!(
        (
            &execution["status"],
            &execution["handler"],
            &execution["output"]["json"]
        ),
        (&json!("succeeded"), &json!("steps"), &json!(3))
    );
    let operations = get(&server, &format!("{path}/operations"));
    let first = &operations["operations"][0];
    assert_eq!(
        (&first["kind"], &first["status"], &first["value"]["json"]),
        (&json!("step"), &json!("succeeded"), &json!(0)),
        "{first}"
    );
    let failed = get(&server, &only(&server, "broken/"));
    assert_eq!(failed["status"], "failed");
    assert!(failed["error"]["message"].is_string(), "{failed}");
    let list = server.call("GET", "/durable", &Value::Null);
    let text = String::from_utf8(list.body).unwrap();
    assert!(
        text.contains("succeeded <b>1</b>") && text.contains("failed <b>1</b>"),
        "{text}"
    );
    assert_eq!(
        get(&server, "/executions?status=failed")["executions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let retry = post(
        &server,
        &format!("{path}/retry"),
        &json!({"from": "beginning"}),
    );
    assert_eq!(retry, 501);
    assert!(
        server.output().contains("Page: http://127.0.0.1:"),
        "{}",
        server.output()
    );
}

#[test]
fn functions_are_acted_on_from_the_page() {
    let server = Server::start(Settings::default());
    let sleepy = server.begin("sleepy:$LATEST", &json!(null));
    server.event(&sleepy, "InvocationCompleted");
    let path = only(&server, "sleepy/");
    assert_eq!(post(&server, &format!("{path}/pause"), &json!({})), 204);
    assert_eq!(get(&server, &path)["paused"], true);
    assert_eq!(post(&server, &format!("{path}/resume"), &json!({})), 204);
    assert_eq!(post(&server, &format!("{path}/cancel"), &json!({})), 204);
    server.until(&sleepy, "STOPPED");
    assert_eq!(get(&server, &path)["status"], "cancelled");

    let approval = server.begin("approval:$LATEST", &json!("ship it"));
    server.event(&approval, "CallbackStarted");
    let path = only(&server, "approval/");
    let begun = Instant::now();
    let callback = loop {
        let page = get(&server, &format!("{path}/operations"));
        let all = page["operations"].as_array().unwrap();
        match all.iter().find(|one| one["kind"] == "callback") {
            Some(callback) => break callback.clone(),
            None => std::thread::sleep(Duration::from_millis(50)),
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
    };
    let value = json!({"id": callback["handle"], "value": "yes"});
    assert_eq!(post(&server, "/callbacks/complete", &value), 204);
    server.until(&approval, "SUCCEEDED");
    assert_eq!(get(&server, &path)["status"], "succeeded");
    assert_eq!(post(&server, "/callbacks/complete", &value), 409);
}

fn page(server: &Server, path: &str) -> (u16, String) {
    let html = [("accept", "text/html")];
    let answer = server
        .try_call("GET", &format!("/durable{path}"), &html, b"")
        .unwrap();
    (answer.status, String::from_utf8(answer.body).unwrap())
}

#[test]
fn functions_are_started_from_the_page_and_the_api() {
    let server = Server::start(Settings::default());
    let new = json!({"handler": "steps", "id": "by-hand", "input": 2});
    assert_eq!(post(&server, "/executions", &new), 201);
    assert_eq!(post(&server, "/executions", &new), 200);
    let path = only(&server, "steps/by-hand/");
    let ended = get(&server, &format!("{path}?wait=60"));
    assert_eq!(
        (&ended["status"], &ended["output"]["json"]),
        (&json!("succeeded"), &json!(1))
    );
    let other = json!({"handler": "steps", "id": "by-hand", "input": 3});
    assert_eq!(post(&server, "/executions", &other), 409);
    for (new, status) in [
        (json!({"handler": "nowhere", "id": "x"}), 404),
        (json!({"handler": "steps", "id": "two/parts"}), 409),
        (
            json!({"handler": "steps", "id": "x", "labels": {"a": "b"}}),
            501,
        ),
    ] {
        assert_eq!(post(&server, "/executions", &new), status, "{new}");
    }
    let asked = page(&server, "/start").1;
    assert!(
        asked.contains("Payload as JSON") && !asked.contains("Queue (optional)"),
        "{asked}"
    );
    let url = format!("http://127.0.0.1:{}", server.port);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", url.as_str()),
    ];
    let started = server.try_call(
        "POST",
        "/durable/start",
        &headers,
        b"handler=steps&id=from-page&input=1",
    );
    let started = started.unwrap();
    assert_eq!(started.status, 303, "{started:?}");
    let target = started.header("location").to_owned();
    assert!(
        target.starts_with("/durable/executions/steps%2Ffrom-page%2F"),
        "{target}"
    );
}

#[test]
fn the_page_says_why_an_execution_is_not_run_again() {
    let server = Server::start(Settings::default());
    assert_eq!(server.invoke("steps:$LATEST", &json!(3)).json(), 3);
    let own = only(&server, "steps/");
    let (_, text) = page(&server, &own);
    assert!(
        !text.contains("Retry…") && !text.contains("Fork…"),
        "{text}"
    );
    assert!(!text.contains("Send a message"), "{text}");
    assert!(
        text.contains("/durable/start?handler=steps&#38;input=3"),
        "{text}"
    );
    let (_, fragment) = page(&server, &format!("{own}/operations/1"));
    assert!(!fragment.contains("from here"), "{fragment}");
    for action in ["retry", "fork"] {
        let (status, text) = page(&server, &format!("{own}/{action}"));
        assert_eq!(status, 409);
        assert!(text.contains("the service runs each once"), "{text}");
        assert!(text.contains("Start the function again"), "{text}");
    }
    let (status, text) = page(&server, &format!("{own}/send"));
    assert_eq!(status, 501);
    assert!(text.contains("does not support messages"), "{text}");
    let graph = get(&server, &format!("{own}/graph"));
    assert_eq!(graph["nodes"][0]["kind"], "step", "{graph}");
    let newest = get(&server, "/executions?order=newest");
    assert_eq!(newest["executions"].as_array().unwrap().len(), 1);
}
