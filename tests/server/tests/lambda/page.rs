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
