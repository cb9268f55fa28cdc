//! Messages to executions, through the API and on the page.

use serde_json::{Value, json};

use crate::client::encoded;
use crate::pages::{page, send};
use crate::server::{Server, execution};

#[test]
fn a_message_is_sent_listed_and_received_once() {
    let mut server = Server::start();
    server.begin("inbox", "i/1", &json!("x"));
    let messages = execution("i/1", "/messages");
    assert_eq!(server.get(&messages)["messages"], json!([]));
    let first = json!({"name": "line", "value": "one", "id": "m-1"});
    server.post(&messages, &first);
    server.post(&messages, &first);
    let listed = server.get(&messages);
    let all = listed["messages"].as_array().unwrap();
    assert_eq!(all.len(), 1, "the same id was taken twice: {listed}");
    assert_eq!(
        (
            &all[0]["name"],
            &all[0]["id"],
            &all[0]["value"]["json"],
            &all[0]["received_by"]
        ),
        (&json!("line"), &json!("m-1"), &json!("one"), &Value::Null)
    );
    let text = page(&server, "/executions/i%2F1");
    assert!(text.contains("1 waiting, 0 received"), "{text}");
    server.work(&[]);
    server.post(&messages, &json!({"name": "line", "value": "two"}));
    assert_eq!(
        server.until("i/1", "succeeded")["output"]["json"],
        "one two"
    );
    let listed = server.get(&messages);
    assert_eq!(listed["messages"][1]["received_by"], 2, "{listed}");
    // A repetition is still one.
    server.post(&messages, &first);
    let late = json!({"name": "line", "value": "three"});
    let (status, detail) = server.refused("POST", &messages, &late);
    assert_eq!(status, 409);
    assert!(
        detail.contains("send it to an execution that has not ended"),
        "{detail}"
    );
}

#[test]
fn what_is_wrong_with_a_message_is_told() {
    let server = Server::start();
    server.begin("inbox", "i", &json!("x"));
    let messages = execution("i", "/messages");
    let long = "x".repeat(513);
    for (message, why) in [
        (json!({"value": 1}), "name"),
        (json!({"name": ""}), "`name`"),
        (json!({"name": "line", "id": ""}), "`id`"),
        (json!({"name": "line", "id": long}), "`id`"),
    ] {
        let (status, detail) = server.refused("POST", &messages, &message);
        assert_eq!(status, 400, "{detail}");
        assert!(detail.contains(why), "{detail}");
    }
    let nobody = execution("nobody", "/messages");
    assert_eq!(server.refused("GET", &nobody, &Value::Null).0, 404);
    let message = json!({"name": "line"});
    assert_eq!(server.refused("POST", &nobody, &message).0, 404);
}

#[test]
fn a_secret_message_is_hidden_once_its_operation_is_known() {
    let server = Server::working();
    server.begin("vault", "v", &json!("x"));
    server.operation("v", |one| one["kind"] == "receive");
    let messages = execution("v", "/messages");
    server.post(
        &messages,
        &json!({"name": "key", "value": "hunter2-very-secret"}),
    );
    server.until("v", "succeeded");
    let listed = server.get(&execution("v", "/messages?full=true"));
    assert_eq!(
        listed["messages"][0]["value"]["hidden"], "secret",
        "{listed}"
    );
    assert!(!listed.to_string().contains("hunter2"));
    assert!(!page(&server, "/executions/v").contains("hunter2"));
}

#[test]
fn people_send_a_message_after_a_confirmation() {
    let server = Server::start();
    server.begin("inbox", "i/2", &json!("x"));
    let own = format!("/executions/{}", encoded("i/2"));
    assert!(page(&server, &own).contains(&format!("{own}/send")));
    let asked = page(&server, &format!("{own}/send"));
    assert!(asked.contains("Send a message to i/2?"), "{asked}");
    // Its id makes a form that is sent twice harmless.
    assert!(asked.contains(r#"name="id" value="page@20"#), "{asked}");
    let wrong = send(&server, &format!("{own}/send"), "name=line&value=hi");
    assert_eq!(wrong.status, 400);
    let form = "name=line&value=%22hi%22&id=page%401";
    for _ in 0..2 {
        let done = send(&server, &format!("{own}/send"), form);
        assert_eq!((done.status, done.header("location")), (303, own.as_str()));
    }
    let listed = server.get(&execution("i/2", "/messages"));
    assert_eq!(listed["messages"].as_array().unwrap().len(), 1, "{listed}");
    let text = page(&server, &own);
    assert!(text.contains(r#"<section class="messages""#), "{text}");
}
