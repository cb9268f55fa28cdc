//! Queues, schedules, counts and comparisons over the API.

use serde_json::{Value, json};

use crate::server::{Server, execution};

#[test]
fn queues_are_set_up_paused_and_listed() {
    let server = Server::start();
    let set = json!({"concurrency": 2, "rate_starts": 10, "rate_ms": 1000});
    let queue = "/api/queues/mail%2Fout";
    assert_eq!(server.call("PUT", queue, &set).status, 204);
    server.post(&format!("{queue}/pause"), &Value::Null);
    let place = json!({"name": "mail/out", "key": "k", "priority": 3});
    let new = json!({"handler": "many", "id": "queued", "input": 1, "queue": place});
    assert_eq!(server.call("POST", "/api/executions", &new).status, 201);
    let listed = &server.get("/api/queues")["queues"][0];
    assert_eq!(
        (
            &listed["name"],
            &listed["paused"],
            &listed["waiting"],
            &listed["concurrency"]
        ),
        (&json!("mail/out"), &json!(true), &json!(1), &json!(2))
    );
    // Limits do not resume a queue.
    assert_eq!(server.call("PUT", queue, &json!({})).status, 204);
    assert_eq!(server.get("/api/queues")["queues"][0]["paused"], true);
    server.post(&format!("{queue}/resume"), &Value::Null);
    assert_eq!(server.call("DELETE", queue, &Value::Null).status, 204);
    assert_eq!(
        server
            .refused("POST", "/api/queues/nowhere/pause", &Value::Null)
            .0,
        404
    );
    assert_eq!(server.refused("PUT", queue, &json!({"rate_ms": 5})).0, 400);
}

#[test]
fn schedules_are_set_up_fired_paused_and_removed() {
    let server = Server::working();
    let schedule = "/api/schedules/nightly";
    let set = json!({"handler": "many", "cron": "0 3 * * *", "zone": "Europe/Berlin", "input": 2});
    assert_eq!(server.call("PUT", schedule, &set).status, 204);
    let listed = &server.get("/api/schedules")["schedules"][0];
    assert_eq!(listed["fires"], "0 3 * * * (Europe/Berlin)");
    let fired = server.call("POST", &format!("{schedule}/fire"), &Value::Null);
    assert_eq!(fired.status, 201);
    let id = fired.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("nightly@"), "{id}");
    assert_eq!(server.until(&id, "succeeded")["output"]["json"], 2);
    server.post(&format!("{schedule}/pause"), &Value::Null);
    assert_eq!(server.get("/api/schedules")["schedules"][0]["paused"], true);
    server.post(&format!("{schedule}/resume"), &Value::Null);
    assert_eq!(server.call("DELETE", schedule, &Value::Null).status, 204);
    assert_eq!(
        server
            .refused("POST", &format!("{schedule}/fire"), &Value::Null)
            .0,
        404
    );
    for wrong in [
        json!({"handler": "many"}),
        json!({"handler": "many", "cron": "x"}),
        json!({"handler": "many", "cron": "@daily", "zone": "Mars/Olympus"}),
        json!({"handler": "many", "every_ms": 10}),
    ] {
        assert_eq!(server.refused("PUT", schedule, &wrong).0, 400, "{wrong}");
    }
}

#[test]
fn executions_are_counted_for_people_and_for_prometheus() {
    let server = Server::start();
    for n in 0..3 {
        server.begin("many", &format!("m{n}"), &json!(n));
    }
    server.begin("odd\"name\\", "odd", &json!(1));
    server.post(&execution("m1", "/cancel"), &Value::Null);
    let counts = server.get("/api/counts");
    assert_eq!(counts["complete"], true);
    let all = counts["counts"].as_array().unwrap().iter();
    let all: Vec<_> = all
        .map(|one| format!("{} {} {}", one["handler"], one["status"], one["executions"]))
        .collect();
    assert_eq!(
        all,
        [
            "\"many\" \"cancelled\" 1",
            "\"many\" \"queued\" 2",
            "\"odd\\\"name\\\\\" \"queued\" 1"
        ]
    );
    assert_eq!(
        server
            .call("PUT", "/api/queues/q", &json!({"concurrency": 1}))
            .status,
        204
    );
    let metrics = server.call("GET", "/metrics", &Value::Null);
    assert!(
        metrics
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    let text = String::from_utf8(metrics.body).unwrap();
    for line in [
        "durable_executions{handler=\"many\",status=\"queued\"} 2",
        "durable_executions{handler=\"odd\\\"name\\\\\",status=\"queued\"} 1",
        "durable_queue_waiting{queue=\"q\"} 0",
        "durable_counts_complete 1",
        "# TYPE durable_oldest_execution_age_seconds gauge",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let health = server.call("GET", "/healthz", &Value::Null);
    assert_eq!((health.status, &health.body[..]), (200, &b"ok\n"[..]));
}

#[test]
fn two_executions_are_compared_by_the_names_of_their_operations() {
    let server = Server::working();
    for (id, n) in [("a", 2), ("b", 4)] {
        server.begin("many", id, &json!(n));
        server.until(id, "succeeded");
    }
    let pairs = server.get("/api/compare?left=a&right=b")["pairs"].clone();
    let verdict = |n: usize| format!("{} {}", pairs[n]["path"], pairs[n]["verdict"]);
    assert_eq!(verdict(1), "\"step[1]\" \"same\"");
    assert_eq!(verdict(3), "\"step[3]\" \"right\"");
    assert_eq!(
        server
            .refused("GET", "/api/compare?left=a&right=no", &Value::Null)
            .0,
        404
    );
}
