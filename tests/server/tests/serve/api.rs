//! What programs do with executions.

use serde_json::{Value, json};

use crate::server::{Server, execution};

#[test]
fn an_execution_is_started_once_and_runs_to_its_end() {
    let server = Server::working();
    let new = json!({"handler": "many", "id": "a/b?c#1", "input": 3});
    let first = server.call("POST", "/api/executions", &new);
    assert_eq!((first.status, &first.json()["new"]), (201, &json!(true)));
    let again = server.call("POST", "/api/executions", &new);
    assert_eq!((again.status, &again.json()["new"]), (200, &json!(false)));
    let other = json!({"handler": "many", "id": "a/b?c#1", "input": 4});
    assert_eq!(
        server.refused("POST", "/api/executions", &other).0,
        409,
        "an id stands for one input"
    );
    let ended = server.get(&execution("a/b?c#1", "?wait=60"));
    assert_eq!(
        (&ended["status"], &ended["output"]["json"]),
        (&json!("succeeded"), &json!(3))
    );
}

#[test]
fn numbers_of_an_input_keep_their_digits() {
    let server = Server::start();
    let body = r#"{"handler": "x", "id": "digits", "input": [18446744073709551617, 0.10000000000000000001]}"#;
    let json = [("content-type", "application/json")];
    let started = server.bare("POST", "/api/executions", &json, body.as_bytes());
    assert_eq!(started.status, 201);
    let answer = server.call("GET", &execution("digits", ""), &Value::Null);
    let text = String::from_utf8(answer.body).unwrap();
    assert!(
        text.contains("[18446744073709551617,0.10000000000000000001]"),
        "{text}"
    );
}

#[test]
fn a_handler_without_input_takes_nothing_null_and_an_empty_object() {
    let server = Server::working();
    for (id, new) in [
        ("none", json!({"handler": "sweep", "id": "none"})),
        (
            "null",
            json!({"handler": "sweep", "id": "null", "input": null}),
        ),
        (
            "object",
            json!({"handler": "sweep", "id": "object", "input": {}}),
        ),
    ] {
        assert_eq!(server.call("POST", "/api/executions", &new).status, 201);
        assert_eq!(server.until(id, "succeeded")["output"]["json"], 3, "{id}");
    }
    server.begin("sweep", "other", &json!({"folder": "in"}));
    let blocked = server.until("other", "blocked");
    let report = blocked["report"].as_str().unwrap();
    assert!(
        report.contains("input") && report.contains("()"),
        "{report}"
    );
}

#[test]
fn operations_are_paged_and_secrets_stay_hidden() {
    let server = Server::working();
    server.begin("import", "import-1", &json!("in"));
    server.until("import-1", "succeeded");
    let mut after = 0;
    let mut all = Vec::new();
    loop {
        let page = server.get(&execution(
            "import-1",
            &format!("/operations?limit=7&after={after}"),
        ));
        all.extend(page["operations"].as_array().unwrap().clone());
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    let seqs: Vec<_> = all.iter().map(|one| one["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    let parse = all
        .iter()
        .find(|one| one["path"] == "files/item[in/0.csv]/parse")
        .unwrap();
    assert_eq!(parse["value"]["json"]["rows"], 17);
    assert!(
        parse["source"].as_str().unwrap().contains("main.rs:"),
        "{parse}"
    );
    let token = all.iter().find(|one| one["name"] == "token").unwrap();
    assert_eq!(token["value"]["hidden"], "secret");
    let one = server.get(&execution(
        "import-1",
        &format!("/operations/{}", token["seq"]),
    ));
    assert_eq!(&one, token);
    let timeline = server.get(&execution("import-1", "/timeline"));
    let rows = timeline["rows"].as_array().unwrap();
    assert_eq!(rows.len(), all.len());
    let row = &rows[parse["seq"].as_u64().unwrap() as usize - 1];
    let parent = &rows[row["parent"].as_u64().unwrap() as usize - 1];
    assert_eq!(
        (&row["name"], &parent["name"]),
        (&json!("parse"), &json!("item[in/0.csv]"))
    );
    for path in ["", "/operations?full=true", "/timeline", "/events"] {
        if path == "/events" {
            continue;
        }
        let answer = server.call("GET", &execution("import-1", path), &Value::Null);
        assert!(
            !String::from_utf8_lossy(&answer.body).contains("hunter2"),
            "{path}"
        );
    }
    assert_eq!(
        server
            .refused(
                "GET",
                &execution("import-1", "/operations/999"),
                &Value::Null
            )
            .0,
        404
    );
}

#[test]
fn executions_are_paused_resumed_cancelled_retried_and_removed() {
    let mut server = Server::working();
    server.begin("sleeper", "s", &json!("zzz"));
    server.until("s", "suspended");
    server.post(&execution("s", "/pause"), &Value::Null);
    assert_eq!(server.get(&execution("s", ""))["paused"], true);
    server.post(&execution("s", "/resume"), &Value::Null);
    assert_eq!(server.get(&execution("s", ""))["paused"], false);
    assert_eq!(
        server
            .refused("DELETE", &execution("s", ""), &Value::Null)
            .0,
        409
    );
    server.post(&execution("s", "/cancel"), &Value::Null);
    server.until("s", "cancelled");
    assert_eq!(
        server
            .refused("POST", &execution("s", "/pause"), &Value::Null)
            .0,
        409
    );

    server.begin("charge", "c", &json!("4111"));
    let failed = server.until("c", "failed");
    assert!(
        failed["error"]["message"]
            .as_str()
            .unwrap()
            .contains("declined")
    );
    server.kill_worker();
    server.post(&execution("c", "/retry"), &json!({"from": "failure"}));
    let rows = server.get(&execution("c", "/timeline"))["rows"].clone();
    assert_eq!(rows[0]["status"], "succeeded", "what succeeded stays");
    server.work(&[]);
    server.until("c", "failed");
    let from = json!({"from": "operation", "operation": "reserve"});
    server.post(&execution("c", "/retry"), &from);
    server.until("c", "failed");
    let missing = json!({"from": "operation", "operation": "nothing"});
    let (status, detail) = server.refused("POST", &execution("c", "/retry"), &missing);
    assert_eq!(status, 404, "{detail}");
    let removed = server.call("DELETE", &execution("c", ""), &Value::Null);
    assert_eq!(removed.status, 204);
    let (status, detail) = server.refused("GET", &execution("c", ""), &Value::Null);
    assert_eq!(status, 404);
    assert!(detail.contains("`c`"), "{detail}");
}

#[test]
fn many_executions_are_changed_at_once() {
    let server = Server::start();
    for n in 0..3 {
        server.begin("many", &format!("m{n}"), &json!(n));
    }
    let change = |dry_run: bool| {
        let body = json!({"change": "cancel", "filter": {"prefix": "m"}, "dry_run": dry_run});
        let answer = server.call("POST", "/api/changes", &body);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["executions"].as_array().unwrap().len()
    };
    assert_eq!(change(true), 3);
    assert_eq!(server.get(&execution("m0", ""))["status"], "queued");
    assert_eq!(change(false), 3);
    assert_eq!(server.get(&execution("m0", ""))["status"], "cancelled");
    assert_eq!(change(false), 0);
}

#[test]
fn callbacks_are_completed_failed_and_kept_alive() {
    let server = Server::working();
    for (id, act, status) in [("yes", "complete", "succeeded"), ("no", "fail", "failed")] {
        server.begin("approval", id, &json!("ship it"));
        let callback = server.operation(id, |one| {
            one["name"] == "answer" && one["handle"].is_string()
        });
        let handle = &callback["handle"];
        server.post("/api/callbacks/heartbeat", &json!({"id": handle}));
        let body = match act {
            "complete" => json!({"id": handle, "value": "go"}),
            _ => json!({"id": handle, "message": "never"}),
        };
        let path = format!("/api/callbacks/{act}");
        server.post(&path, &body);
        let ended = server.until(id, status);
        let text = ended.to_string();
        assert!(text.contains("go") || text.contains("never"), "{text}");
        assert_eq!(server.refused("POST", &path, &body).0, 409, "it is closed");
    }
    let made_up = json!({"id": "yes:1:00000000000000000000000000000000:0"});
    assert_eq!(
        server
            .refused("POST", "/api/callbacks/complete", &made_up)
            .0,
        404
    );
}

#[test]
fn a_blocked_execution_tells_why() {
    let mut server = Server::working();
    server.begin("renamed", "r", &json!(1));
    server.operation("r", |one| one["kind"] == "wait");
    server.until("r", "suspended");
    server.work(&["changed"]);
    // It is due at once, instead of after its wait.
    server.post(
        &execution("r", "/retry"),
        &json!({"from": "operation", "operation": "pause"}),
    );
    let blocked = server.until("r", "blocked");
    let report = blocked["report"].as_str().unwrap();
    assert!(report.contains("fetch"), "{report}");
    let page = server.bare("GET", "/executions/r", &[], b"");
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains("durable resume r"), "{text}");
}
