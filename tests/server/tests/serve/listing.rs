//! Listings through the API: filters, orders, labels and pages.

use serde_json::{Value, json};

use crate::client::encoded;
use crate::server::{Server, execution};

#[test]
fn executions_are_listed_filtered_and_paged() {
    let server = Server::start();
    for n in 0..5 {
        server.begin("many", &format!("many-{n}"), &json!(n));
    }
    server.begin("slow", "slow-1", &json!(1));
    let ids = |path: &str| {
        let page = server.get(path);
        let all = page["executions"].as_array().unwrap().iter();
        let ids: Vec<_> = all
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect();
        (ids, page["more"].as_bool().unwrap())
    };
    let (first, more) = ids("/api/executions?handler=many&limit=3");
    assert_eq!(
        (first.join(" "), more),
        ("many-0 many-1 many-2".to_owned(), true)
    );
    let (rest, more) = ids("/api/executions?handler=many&limit=3&after=many-2");
    assert_eq!((rest.join(" "), more), ("many-3 many-4".to_owned(), false));
    assert_eq!(ids("/api/executions?prefix=slow").0, ["slow-1"]);
    assert_eq!(ids("/api/executions?status=running,failed").0.len(), 0);
    assert_eq!(ids("/api/executions?status=queued").0.len(), 6);
    assert_eq!(
        ids("/api/executions?created_before=2020-01-01T00:00:00Z")
            .0
            .len(),
        0
    );
    assert_eq!(ids("/api/executions?paused=true").0.len(), 0);
    for (wrong, why) in [
        ("status=asleep", "expected one of queued"),
        ("created_from=yesterday", "expected a time with its offset"),
        ("limit=0", "expected 1 to 1000"),
        ("after=two%20words", "execution id"),
    ] {
        let (status, detail) =
            server.refused("GET", &format!("/api/executions?{wrong}"), &Value::Null);
        assert_eq!(status, 400);
        assert!(detail.contains(why), "{detail}");
    }
}

#[test]
fn the_newest_are_listed_first_where_wanted() {
    let server = Server::start();
    for id in ["b", "c", "a"] {
        server.begin("many", id, &json!(1));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let page = server.get("/api/executions?order=newest&limit=2");
    let all = page["executions"].as_array().unwrap();
    assert_eq!(
        (&all[0]["id"], &all[1]["id"], &page["more"]),
        (&json!("a"), &json!("c"), &json!(true))
    );
    let place = format!("{}/c", all[1]["created_at"].as_str().unwrap());
    let next = format!(
        "/api/executions?order=newest&limit=2&after={}",
        encoded(&place)
    );
    let page = server.get(&next);
    assert_eq!(
        (&page["executions"][0]["id"], &page["more"]),
        (&json!("b"), &json!(false))
    );
    for wrong in [
        "order=oldest",
        "order=newest&after=b",
        "order=newest&after=yesterday%2Fb",
    ] {
        let path = format!("/api/executions?{wrong}");
        let (status, detail) = server.refused("GET", &path, &Value::Null);
        assert_eq!(status, 400);
        assert!(detail.contains("expected"), "{detail}");
    }
}

#[test]
fn executions_are_found_by_their_labels() {
    let server = Server::start();
    for (id, tenant, note) in [
        ("a", "acme", "x"),
        ("b", "acme", "two, three"),
        ("c", "beta", "x"),
    ] {
        let labels = json!({"tenant": tenant, "note": note});
        let new = json!({"handler": "many", "id": id, "input": 1, "labels": labels});
        assert_eq!(server.call("POST", "/api/executions", &new).status, 201);
        assert_eq!(server.get(&execution(id, ""))["labels"], labels);
    }
    let ids = |labels: &str| {
        let page = server.get(&format!("/api/executions?labels={}", encoded(labels)));
        let all = page["executions"].as_array().unwrap().iter();
        all.map(|one| one["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("tenant=acme"), ["a", "b"]);
    assert_eq!(ids("tenant=acme, note=x"), ["a"]);
    assert_eq!(ids(r"note=two\, three"), ["b"]);
    assert_eq!(ids("tenant=nobody").len(), 0);
    let filter = json!({"change": "cancel", "filter": {"labels": "tenant=beta"}, "dry_run": true});
    let answer = server.call("POST", "/api/changes", &filter);
    assert_eq!(answer.json()["executions"], json!(["c"]));
    let (status, detail) = server.refused("GET", "/api/executions?labels=acme", &Value::Null);
    assert_eq!(status, 400);
    assert!(
        detail.contains("expected a key and a value, as in tenant=acme"),
        "{detail}"
    );
    let new = json!({"handler": "many", "id": "d", "labels": {"two words": "x"}});
    let (status, detail) = server.refused("POST", "/api/executions", &new);
    assert_eq!(status, 400);
    assert!(detail.contains("invalid label key"), "{detail}");
}

#[test]
fn a_schedule_labels_what_it_starts() {
    let server = Server::start();
    let schedule =
        json!({"handler": "many", "every_ms": 900_000, "input": 1, "labels": {"env": "prod"}});
    let set = server.call("PUT", "/api/schedules/quarter", &schedule);
    assert_eq!(set.status, 204);
    let listed = server.get("/api/schedules");
    assert_eq!(listed["schedules"][0]["labels"], json!({"env": "prod"}));
    let fired = server.call("POST", "/api/schedules/quarter/fire", &Value::Null);
    let id = fired.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(
        server.get(&execution(&id, ""))["labels"],
        json!({"env": "prod"})
    );
}
