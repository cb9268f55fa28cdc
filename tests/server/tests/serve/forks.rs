//! Forks and backfills, through the API and on the page.

use serde_json::{Value, json};

use crate::pages::{page, send};
use crate::server::{Server, execution};

fn charged() -> Server {
    let server = Server::working();
    let new = json!({"handler": "charge", "id": "c", "input": "4111", "labels": {"env": "prod"}});
    assert_eq!(server.call("POST", "/api/executions", &new).status, 201);
    server.until("c", "failed");
    server
}

#[test]
fn a_fork_takes_over_what_came_before_an_operation() {
    let server = charged();
    let fork = json!({"id": "c-2", "before": "charge", "input": "5500"});
    let path = execution("c", "/fork");
    let first = server.call("POST", &path, &fork);
    assert_eq!((first.status, &first.json()["id"]), (201, &json!("c-2")));
    let again = server.call("POST", &path, &fork);
    assert_eq!((again.status, &again.json()["new"]), (200, &json!(false)));
    let ended = server.until("c-2", "failed");
    let message = ended["error"]["message"].as_str().unwrap();
    assert!(message.contains("declined card 5500"), "{ended}");
    assert_eq!(
        ended["forked_from"],
        json!({"execution": "c", "seq": 1, "records": 1})
    );
    assert_eq!(ended["labels"], json!({"env": "prod"}));
    let timeline = server.get(&execution("c-2", "/timeline"));
    let taken = timeline["rows"].as_array().unwrap().iter();
    let taken: Vec<_> = taken
        .map(|row| row["taken_over"].as_bool() == Some(true))
        .collect();
    assert_eq!(taken, [true, false]);
    // A retry from the beginning runs what was taken over, at the same position.
    server.post(&execution("c-2", "/retry"), &json!({"from": "beginning"}));
    server.wait_for("c-2", |now| {
        now["status"] == "failed" && now["updated_at"] != ended["updated_at"]
    });
    let timeline = server.get(&execution("c-2", "/timeline"));
    assert_eq!(timeline["rows"][0]["taken_over"], Value::Null, "{timeline}");
}

#[test]
fn what_is_wrong_with_a_fork_is_told() {
    let server = charged();
    let path = execution("c", "/fork");
    for (fork, status, why) in [
        (json!({"id": "two words"}), 400, "execution id"),
        (
            json!({"id": "x", "before": "charge", "after": "charge"}),
            400,
            "at most one",
        ),
        (json!({"id": "x", "before": "nothing"}), 404, "`nothing`"),
        (json!({"id": "c"}), 409, "choose another id"),
    ] {
        let (answered, detail) = server.refused("POST", &path, &fork);
        assert_eq!(answered, status, "{detail}");
        assert!(detail.contains(why), "{detail}");
    }
    let nobody = execution("nobody", "/fork");
    assert_eq!(server.refused("POST", &nobody, &json!({"id": "x"})).0, 404);
}

#[test]
fn people_fork_from_an_operation() {
    let server = charged();
    let fragment = page(&server, "/executions/c/operations/2");
    assert!(
        fragment.contains("/executions/c/fork?operation=charge"),
        "{fragment}"
    );
    assert!(page(&server, "/executions/c").contains("/executions/c/fork"));
    let asked = page(&server, "/executions/c/fork?operation=charge");
    assert!(
        asked.contains("Fork c?") && asked.contains(r#"value="charge""#),
        "{asked}"
    );
    let form = "id=c-3&operation=charge&point=before&input=%225500%22";
    let done = send(&server, "/executions/c/fork", form);
    assert_eq!(
        (done.status, done.header("location")),
        (303, "/executions/c-3")
    );
    server.until("c-3", "failed");
    let text = page(&server, "/executions/c-3");
    assert!(text.contains("c, 1 operation taken over"), "{text}");
    let again = send(&server, "/executions/c/fork", form);
    assert_eq!(again.status, 409);
    let wrong = send(&server, "/executions/c/fork", "id=c-4&operation=nothing");
    assert_eq!(wrong.status, 404);
    let whole = send(&server, "/executions/c/fork", "id=c-5");
    assert_eq!(whole.status, 303);
    let forked = server.get(&execution("c-5", ""));
    assert_eq!(forked["forked_from"]["records"], 2, "{forked}");
}

fn scheduled() -> Server {
    let server = Server::start();
    let schedule = json!({"handler": "many", "cron": "0 3 * * *", "input": 1});
    let set = server.call("PUT", "/api/schedules/nightly", &schedule);
    assert_eq!(set.status, 204);
    server
}

const RANGE: (&str, &str) = ("2020-11-01T00:00:00Z", "2020-11-04T00:00:00Z");

#[test]
fn a_backfill_starts_each_past_time_once() {
    let server = scheduled();
    let path = "/api/schedules/nightly/backfill";
    let (from, to) = RANGE;
    let days = json!([
        "nightly@2020-11-01T03:00:00Z",
        "nightly@2020-11-02T03:00:00Z",
        "nightly@2020-11-03T03:00:00Z"
    ]);
    let dry = server.call(
        "POST",
        path,
        &json!({"from": from, "to": to, "dry_run": true}),
    );
    assert_eq!((dry.status, &dry.json()["started"]), (200, &days));
    assert_eq!(server.get("/api/executions")["executions"], json!([]));
    let range = json!({"from": from, "to": to});
    let done = server.call("POST", path, &range).json();
    assert_eq!((&done["started"], &done["existing"]), (&days, &json!([])));
    let again = server.call("POST", path, &range).json();
    assert_eq!((&again["started"], &again["existing"]), (&json!([]), &days));
    for (range, why) in [
        (json!({"from": to, "to": from}), "is empty"),
        (
            json!({"from": from, "to": "tomorrow"}),
            "expected a time with its offset",
        ),
        (json!({"from": from, "to": ""}), "`to` is empty"),
        (
            json!({"from": from, "to": to, "limit": 2}),
            "more than 2 times",
        ),
        (json!({"from": from, "to": to, "limit": 0}), "expected 1 to"),
    ] {
        let (status, detail) = server.refused("POST", path, &range);
        assert_eq!(status, 400, "{detail}");
        assert!(detail.contains(why), "{detail}");
    }
    let other = "/api/schedules/other/backfill";
    assert_eq!(server.refused("POST", other, &range_of_a_day()).0, 404);
}

fn range_of_a_day() -> Value {
    json!({"from": RANGE.0, "to": RANGE.1})
}

#[test]
fn people_see_what_a_backfill_starts_before_it_does() {
    let server = scheduled();
    assert!(page(&server, "/schedules").contains("/schedules/nightly/backfill"));
    let path = "/schedules/nightly/backfill";
    assert!(page(&server, path).contains("Backfill nightly?"));
    let range = "from=2020-11-01T00%3A00%3A00Z&to=2020-11-04T00%3A00%3A00Z";
    let listed = send(&server, path, &format!("{range}&what=list"));
    assert_eq!(listed.status, 200);
    let text = String::from_utf8(listed.body).unwrap();
    assert!(text.contains("These 3 executions would start"), "{text}");
    assert!(text.contains("nightly@2020-11-02T03:00:00Z"), "{text}");
    assert_eq!(server.get("/api/executions")["executions"], json!([]));
    let started = send(&server, path, &format!("{range}&what=start"));
    assert_eq!(
        (started.status, started.header("location")),
        (303, "/?prefix=nightly%40")
    );
    let all = server.get("/api/executions");
    assert_eq!(all["executions"].as_array().unwrap().len(), 3);
}
