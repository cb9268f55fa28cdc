//! The OpenAPI document: valid, complete, and true.

use std::process::Command;

use serde_json::{Value, json};

use crate::server::Server;
use crate::tools::{python, skip, workspace};

const REQUIRED: &str = "DURABLE_REQUIRE_OPENAPI";

#[test]
fn the_document_describes_every_operation_once() {
    let server = Server::start();
    let document = server.get("/api/openapi.json");
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"][0]["url"], "/");
    let mut names = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            names.push(operation["operationId"].as_str().unwrap().to_owned());
            for class in ["4XX", "5XX"] {
                let content = &operation["responses"][class]["content"];
                assert!(
                    content["application/problem+json"].is_object(),
                    "{method} {path}"
                );
            }
        }
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!((names.len(), all), (38, 38));
    let start = &document["components"]["schemas"]["NewStart"];
    assert_eq!(start["required"], json!(["id", "handler"]));
    assert_eq!(document["paths"]["/nowhere"], Value::Null);
}

#[test]
fn the_document_is_valid() {
    let Some(validator) = python("openapi-spec-validator") else {
        return skip("openapi-spec-validator", REQUIRED);
    };
    let server = Server::start();
    let file = server.path("openapi.json");
    std::fs::write(&file, server.get("/api/openapi.json").to_string()).unwrap();
    let output = Command::new(validator).arg(&file).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Random requests that fit the document, and some that do not: no answer may be unlike what the document says.
#[test]
fn answers_to_random_requests_fit_the_document() {
    let Some(fuzzer) = python("schemathesis") else {
        return skip("schemathesis", REQUIRED);
    };
    let server = Server::working();
    server.begin("import", "import-1", &json!("in"));
    server.begin("approval", "approval-1", &json!("ship it"));
    server.until("import-1", "succeeded");
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
    let settings = workspace().join("tests/server/python/schemathesis.toml");
    let output = Command::new(fuzzer)
        .current_dir(server.folder.path())
        .arg("--config-file")
        .arg(settings)
        .args(["run", &format!("{}/api/openapi.json", server.url())])
        .args(["--checks", checks, "--exclude-path-regex", "/events$"])
        .args(["--max-examples", "15", "--no-color"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}
