//! The graph of an execution, from its history and from the names of its handler.

use serde_json::{Value, json};

use crate::pages::page;
use crate::server::{Server, execution};

fn names(nodes: &Value) -> Vec<String> {
    let nodes = nodes.as_array().unwrap().iter();
    nodes
        .map(|node| format!("{} {}", node["kind"], node["name"]).replace('"', ""))
        .collect()
}

#[test]
fn a_graph_shows_what_an_execution_has_reached() {
    let server = Server::working();
    server.begin("import", "import-1", &json!("in"));
    server.until("import-1", "succeeded");
    let graph = server.get(&execution("import-1", "/graph"));
    assert_eq!(graph["source"], "history");
    assert_eq!(
        names(&graph["nodes"]),
        [
            "step list files",
            "step token",
            "map files",
            "scope report",
            "wait settle"
        ]
    );
    let item = &graph["nodes"][2]["nested"][0];
    assert_eq!(
        (&item["name"], &item["note"], &item["state"]),
        (
            &json!("item[key]"),
            &json!("6 succeeded"),
            &json!("succeeded")
        )
    );
    assert_eq!(names(&item["nested"]), ["step parse", "step load"]);
    let text = page(&server, "/executions/import-1/graph");
    assert!(
        text.contains("<svg class=\"graph\"") && text.contains("6 succeeded"),
        "{text}"
    );
    assert!(page(&server, "/executions/import-1").contains("/executions/import-1/graph"));
    assert!(!text.contains("style="), "the policy refuses inline styles");
    let nobody = server.refused("GET", &execution("nobody", "/graph"), &Value::Null);
    assert_eq!(nobody.0, 404);
}

#[test]
fn names_show_what_is_ahead() {
    let mut server = Server::named();
    server.work(&[]);
    server.begin("approval", "a-1", &json!("ship"));
    server.until("a-1", "suspended");
    let graph = server.get(&execution("a-1", "/graph"));
    assert_eq!(graph["source"], "names");
    let states = graph["nodes"].as_array().unwrap().iter();
    let states: Vec<_> = states.map(|node| (&node["name"], &node["state"])).collect();
    assert_eq!(
        states,
        [
            (&json!("ask"), &json!("succeeded")),
            (&json!("answer"), &json!("started")),
            (&json!("note"), &json!("ahead")),
        ]
    );
    let text = page(&server, "/executions/a-1/graph");
    assert!(text.contains("class=\"node ahead\""), "{text}");
    // A handler that the file does not name.
    server.begin("charge", "c-1", &json!("4111"));
    server.until("c-1", "failed");
    let graph = server.get(&execution("c-1", "/graph"));
    assert_eq!(
        (&graph["source"], &graph["nodes"][1]["state"]),
        (&json!("history"), &json!("failed"))
    );
}

#[test]
fn a_file_of_names_that_cannot_be_read_is_refused() {
    let server = Server::start();
    let mut command = crate::server::command(&server.folder, &["serve", "--names", "missing.lock"]);
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("cannot read the lock file missing.lock"),
        "{text}"
    );
}
