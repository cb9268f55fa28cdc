//! The page in headless Chromium: light and dark, wide and 375 pixels narrow.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::server::{Server, TOKEN, execution};
use crate::tools::{on_path, runs, skip, workspace};

const REQUIRED: &str = "DURABLE_REQUIRE_BROWSER";

/// The command that runs a script in the browser, where everything is installed.
fn browser(script: &str) -> Option<Command> {
    let modules = workspace().join("target/browser/node_modules");
    let chromium = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let chromium = chromium.or_else(|| names.into_iter().find_map(on_path));
    let complete = runs("node".as_ref())
        && modules.join("playwright-core").is_dir()
        && modules.join("axe-core").is_dir();
    let Some(chromium) = chromium.filter(|_| complete) else {
        skip("Chromium, Node, playwright-core or axe-core", REQUIRED);
        return None;
    };
    let mut command = Command::new("node");
    command
        .arg(workspace().join("tests/server/browser").join(script))
        .env("NODE_PATH", modules)
        .env("CHROMIUM", chromium)
        .env("TOKEN", TOKEN);
    Some(command)
}

fn pass(mut command: Command, server: &Server) {
    let output = command.env("URL", server.url()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    println!("{text}");
}

/// A server with an execution in each state.
fn populated() -> Server {
    let mut server = Server::named();
    server.work(&[]);
    server.begin("renamed", "blocked-1", &json!(1));
    for n in 1..3 {
        server.begin("import", &format!("import-{n}"), &json!("in"));
    }
    server.begin("approval", "approval-17", &json!("May we ship order 17"));
    server.begin("charge", "charge-4711", &json!("4111-1111"));
    server.begin("sleeper", "sleeper-1", &json!("zzz"));
    let labels = json!({"tenant": "acme", "purpose": "a label that is rather long, for a label of an execution"});
    let flaky = json!({"handler": "flaky", "id": "flaky-1", "input": 1, "labels": labels});
    assert_eq!(server.call("POST", "/api/executions", &flaky).status, 201);
    for id in ["inbox-1", "inbox-2"] {
        server.begin("inbox", id, &json!("x"));
    }
    server.begin("progress", "progress-1", &json!(1000));
    // The second one is not of the type that the execution receives, which then takes no more.
    server.post(
        &execution("inbox-1", "/messages"),
        &json!({"name": "other", "value": 1}),
    );
    let line = json!({"name": "line", "value": {"text": "hello"}});
    server.post(&execution("inbox-1", "/messages"), &line);
    server.begin("many", "many-10000", &json!(10_000));
    server.begin("slow", "slow-1", &json!(1000));
    server.begin("nobody", "nobody-1", &json!(null));
    let queue = json!({"concurrency": 2, "rate_starts": 10, "rate_ms": 60_000});
    assert_eq!(server.call("PUT", "/api/queues/mail", &queue).status, 204);
    for n in 0..4 {
        let place = json!({"name": "mail", "key": format!("k{n}")});
        let new =
            json!({"handler": "sleeper", "id": format!("mail-{n}"), "input": "m", "queue": place});
        assert_eq!(server.call("POST", "/api/executions", &new).status, 201);
    }
    let nightly =
        json!({"handler": "import", "cron": "0 3 * * *", "zone": "Europe/Berlin", "input": "n"});
    assert_eq!(
        server
            .call("PUT", "/api/schedules/nightly", &nightly)
            .status,
        204
    );
    server.until("blocked-1", "suspended");
    server.until("many-10000", "succeeded");
    server.work(&["changed"]);
    let again = json!({"from": "operation", "operation": "pause"});
    server.post(&execution("blocked-1", "/retry"), &again);
    server.until("blocked-1", "blocked");
    server.until("import-2", "succeeded");
    server.until("charge-4711", "failed");
    let fork = json!({"id": "charge-fork", "before": "charge"});
    let forked = server.call("POST", &execution("charge-4711", "/fork"), &fork);
    assert_eq!(forked.status, 201, "{forked:?}");
    server.operation("flaky-1", |one| one["attempts"].as_u64() >= Some(1));
    server
}

#[test]
fn every_view_is_accessible_and_fits() {
    let Some(command) = browser("views.cjs") else {
        return;
    };
    pass(command, &populated());
}

#[test]
fn what_happens_is_shown_without_reload_and_the_keyboard_suffices() {
    let Some(command) = browser("use.cjs") else {
        return;
    };
    let server = populated();
    pass(command, &server);
    assert_eq!(
        server.get(&execution("sleeper-1", ""))["status"],
        "cancelled"
    );
    assert_eq!(
        server
            .call("GET", &execution("new-1", ""), &Value::Null)
            .status,
        200
    );
}

#[test]
fn people_log_in() {
    let Some(command) = browser("login.cjs") else {
        return;
    };
    pass(command, &Server::guarded());
}
