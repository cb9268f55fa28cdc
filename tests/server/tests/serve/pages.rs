//! What the page does without any script.

use serde_json::{Value, json};

use crate::client::{Answer, encoded};
use crate::server::{Server, execution};

pub(crate) fn page(server: &Server, path: &str) -> String {
    let answer = server.bare("GET", path, &[("accept", "text/html")], b"");
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    String::from_utf8(answer.body).unwrap()
}

pub(crate) fn send(server: &Server, path: &str, form: &str) -> Answer {
    let origin = server.url();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "text/html"),
        ("origin", origin.as_str()),
    ];
    server.bare("POST", path, &headers, form.as_bytes())
}

#[test]
fn the_list_filters_counts_and_pages() {
    let server = Server::start();
    for n in 0..60 {
        server.begin("many", &format!("m-{n:02}"), &json!(n));
    }
    server.post(&execution("m-59", "/cancel"), &Value::Null);
    let first = page(&server, "/");
    assert!(first.contains("m-00") && first.contains("m-49") && !first.contains("m-50"));
    assert!(first.contains("queued <b>59</b>") && first.contains("cancelled <b>1</b>"));
    assert!(first.contains(r#"href="/?after=m-49""#), "{first}");
    let second = page(&server, "/?after=m-49");
    assert!(second.contains("m-50") && second.contains("m-59") && !second.contains("m-49<"));
    let cancelled = page(
        &server,
        "/?status=cancelled&handler=&queue=&prefix=&created_from=&created_before=",
    );
    assert!(cancelled.contains("m-59") && !cancelled.contains("m-00"));
    assert!(page(&server, "/?prefix=nothing").contains("No execution matches."));
}

#[test]
fn the_list_shows_the_newest_first_where_wanted() {
    let server = Server::start();
    for n in 0..55 {
        server.begin("many", &format!("m-{n:02}"), &json!(n));
    }
    let first = page(&server, "/?order=newest");
    assert!(
        first.contains(">m-54<") && first.contains(">m-05<") && !first.contains(">m-04<"),
        "{first}"
    );
    assert!(!first.contains("Clear"), "an order is not a filter");
    let link = first.split("rel=\"next\" href=\"").nth(1).unwrap();
    let link = link.split('"').next().unwrap().replace("&#38;", "&");
    let second = page(&server, &link);
    assert!(
        second.contains(">m-04<") && second.contains(">m-00<") && !second.contains(">m-05<"),
        "{second}"
    );
}

#[test]
fn labels_are_shown_and_lead_to_executions_with_them() {
    let server = Server::start();
    let form = "handler=many&id=l-1&input=1&labels=tenant%3Da%26b%2C+env%3Dprod";
    assert_eq!(send(&server, "/start", form).status, 303);
    server.begin("many", "l-2", &json!(1));
    let link = r#"<a class="label" href="/?labels=tenant%3Da%26b">tenant=<b>a&#38;b</b></a>"#;
    for path in ["/", "/executions/l-1"] {
        let text = page(&server, path);
        assert!(text.contains(link), "{text}");
    }
    let found = page(&server, "/?labels=tenant%3Da%26b");
    assert!(found.contains("l-1") && !found.contains("l-2"), "{found}");
    assert!(
        found.contains(r#"name="labels" value="tenant=a&#38;b""#),
        "{found}"
    );
    let wrong = send(&server, "/start", "handler=many&id=l-3&labels=acme");
    assert_eq!(wrong.status, 400);
}

#[test]
fn changes_are_confirmed_first() {
    let server = Server::working();
    server.begin("sleeper", "s/1", &json!("zzz"));
    server.until("s/1", "suspended");
    let own = format!("/executions/{}", encoded("s/1"));
    assert!(page(&server, &own).contains(&format!("{own}/cancel")));
    assert!(page(&server, &format!("{own}/cancel")).contains("Cancel s/1?"));
    assert_eq!(
        server.get(&execution("s/1", ""))["cancel"],
        false,
        "asking changes nothing"
    );
    let done = send(&server, &format!("{own}/cancel"), "");
    assert_eq!((done.status, done.header("location")), (303, own.as_str()));
    server.until("s/1", "cancelled");
    let refused = send(&server, &format!("{own}/pause"), "");
    assert_eq!(refused.status, 409);
    let text = String::from_utf8(refused.body).unwrap();
    assert!(text.contains("there is nothing to pause"), "{text}");
    let gone = send(&server, &format!("{own}/remove"), "");
    assert_eq!((gone.status, gone.header("location")), (303, "/"));
    let missing = server.bare("GET", &own, &[("accept", "text/html")], b"");
    assert_eq!(missing.status, 404);
    assert!(
        String::from_utf8(missing.body)
            .unwrap()
            .contains("There is no such thing.")
    );
}

#[test]
fn an_execution_is_started_and_its_callback_completed() {
    let server = Server::working();
    let started = send(
        &server,
        "/start",
        "handler=approval&id=a-1&input=%22ship%22&queue=&key=&priority=&start_at=",
    );
    assert_eq!(
        (started.status, started.header("location")),
        (303, "/executions/a-1")
    );
    let again = send(
        &server,
        "/start",
        "handler=approval&id=a-1&input=%22ship%22",
    );
    assert_eq!(again.status, 409);
    let wrong = send(&server, "/start", "handler=approval&id=a-2&input=ship");
    assert_eq!(wrong.status, 400);
    let wrong = String::from_utf8(wrong.body).unwrap();
    assert!(
        wrong.contains("a text needs quotes") && wrong.contains(r#"value="a-2""#),
        "{wrong}"
    );
    let callback = server.operation("a-1", |one| {
        one["name"] == "answer" && one["handle"].is_string()
    });
    let handle = encoded(callback["handle"].as_str().unwrap());
    assert!(page(&server, "/executions/a-1").contains(&format!("/callback?id={handle}")));
    assert!(page(&server, &format!("/callback?id={handle}")).contains("Complete a callback?"));
    let done = send(
        &server,
        "/callback",
        &format!("id={handle}&outcome=value&value=%22go%22"),
    );
    assert_eq!(
        (done.status, done.header("location")),
        (303, "/executions/a-1")
    );
    assert_eq!(server.until("a-1", "succeeded")["output"]["json"], "go");
}

#[test]
fn a_retry_from_an_operation_names_it() {
    let server = Server::working();
    server.begin("charge", "c", &json!("4111"));
    server.until("c", "failed");
    let fragment = page(&server, "/executions/c/operations/2");
    assert!(
        fragment.contains("the bank declined card 4111"),
        "{fragment}"
    );
    assert!(
        fragment.contains("/executions/c/retry?operation=charge"),
        "{fragment}"
    );
    let asked = page(&server, "/executions/c/retry?operation=charge");
    assert!(asked.contains("From `charge`"), "{asked}");
    assert_eq!(
        send(&server, "/executions/c/retry", "operation=charge").status,
        303
    );
    server.until("c", "failed");
}

#[test]
fn attempts_are_told_with_what_is_known_of_them() {
    let server = Server::working();
    server.begin("flaky", "f", &json!(7));
    server.operation("f", |one| {
        one["status"] == "pending" && one["attempts"] == 1
    });
    let fragment = page(&server, "/executions/f/operations/1");
    assert!(
        fragment.contains("the service refused request 7"),
        "{fragment}"
    );
    assert!(fragment.contains("<dt>Next attempt</dt>"), "{fragment}");
    let timeline = server.get(&execution("f", "/timeline"));
    let row = &timeline["rows"][0];
    assert_eq!(
        (&row["attempts"], &row["status"]),
        (&json!(1), &json!("pending"))
    );
    assert!(row["due"].as_i64() > row["started"].as_i64(), "{row}");
    assert!(
        row["error"].as_str().unwrap().contains("request 7"),
        "{row}"
    );
}

#[test]
fn queues_and_schedules_are_shown_and_paused() {
    let server = Server::start();
    let limits = json!({"concurrency": 2, "rate_starts": 10, "rate_ms": 60_000});
    assert_eq!(server.call("PUT", "/api/queues/mail", &limits).status, 204);
    let schedule = json!({"handler": "many", "every_ms": 900_000, "input": 1});
    assert_eq!(
        server
            .call("PUT", "/api/schedules/quarter", &schedule)
            .status,
        204
    );
    assert!(page(&server, "/queues").contains("2 at a time, 10 starts in 1 min"));
    assert!(page(&server, "/queues/mail/pause").contains("Pause the queue mail?"));
    assert_eq!(send(&server, "/queues/mail/pause", "").status, 303);
    assert!(page(&server, "/queues").contains("/queues/mail/resume"));
    assert!(page(&server, "/schedules").contains("every 900s"));
    assert_eq!(send(&server, "/schedules/quarter/pause", "").status, 303);
    assert!(page(&server, "/schedules").contains("/schedules/quarter/resume"));
    let fired = send(&server, "/schedules/quarter/fire", "");
    assert!(
        fired
            .header("location")
            .starts_with("/executions/quarter%40"),
        "{fired:?}"
    );
}

#[test]
fn two_executions_are_shown_side_by_side() {
    let server = Server::working();
    for (id, n) in [("a", 2), ("b", 4)] {
        server.begin("many", id, &json!(n));
        server.until(id, "succeeded");
    }
    let text = page(&server, "/compare?left=a&right=b");
    assert!(
        text.contains("2 the same, 0 different, 0 only left, 2 only right"),
        "{text}"
    );
    assert!(page(&server, "/compare?left=a&right=no").contains("no execution `no`"));
}

#[test]
fn files_are_sent_once() {
    let server = Server::start();
    let first = server.bare("GET", "/assets/style.css", &[], b"");
    let tag = first.header("etag").to_owned();
    let again = server.bare("GET", "/assets/style.css", &[("if-none-match", &tag)], b"");
    assert_eq!((again.status, again.body.len()), (304, 0));
}
