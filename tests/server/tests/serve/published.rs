//! Values that executions publish, through the API and on the page.

use serde_json::{Value, json};

use crate::pages::page;
use crate::server::{Server, execution};

#[test]
fn published_values_are_listed_and_shown() {
    let server = Server::working();
    server.begin("progress", "p/1", &json!(2));
    server.until("p/1", "succeeded");
    let listed = server.get(&execution("p/1", "/published"));
    let all = listed["published"].as_array().unwrap();
    let names: Vec<_> = all
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["key", "notes", "percent"]);
    assert_eq!(
        (&all[2]["value"]["json"], &all[2]["count"]),
        (&json!(100), &json!(3))
    );
    assert_eq!(all[0]["value"]["hidden"], "secret", "{listed}");
    let text = page(&server, "/executions/p%2F1");
    assert!(
        text.contains("<code>100</code>") && text.contains("252 B"),
        "{text}"
    );
    assert!(!text.contains("hunter2") && !listed.to_string().contains("hunter2"));
    // They are no operations.
    let timeline = server.get(&execution("p/1", "/timeline"));
    assert_eq!(timeline["rows"].as_array().unwrap().len(), 3, "{timeline}");
    let graph = server.get(&execution("p/1", "/graph"));
    assert_eq!(graph["nodes"].as_array().unwrap().len(), 2, "{graph}");
    let nobody = server.refused("GET", &execution("nobody", "/published"), &Value::Null);
    assert_eq!(nobody.0, 404);
    server.begin("sweep", "s", &json!(null));
    server.until("s", "succeeded");
    assert_eq!(
        server.get(&execution("s", "/published"))["published"],
        json!([])
    );
    assert!(!page(&server, "/executions/s").contains("id=\"published\""));
}
