//! Tests with the AWS CLI and boto3. They are skipped with a message if these are not installed,
//! unless `DURABLE_REQUIRE_AWS` is set.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::server::{Server, Settings};

/// Finds a program in the environment that `.ci/run` creates, or in `PATH`.
fn program(name: &str) -> PathBuf {
    let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap();
    let own = workspace.join("target/aws-venv/bin").join(name);
    match own.is_file() {
        true => own,
        false => name.into(),
    }
}

fn command(server: &Server, name: &str) -> Command {
    let mut command = Command::new(program(name));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(server.folder.path())
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_PAGER", "")
        .env("AWS_ENDPOINT_URL_LAMBDA", server.url());
    command
}

fn skipped(what: &str) {
    assert!(std::env::var_os("DURABLE_REQUIRE_AWS").is_none(), "{what}");
    println!("skipped: {what}");
}

fn scaled() -> Server {
    Server::start(Settings {
        arguments: vec!["--time-scale".into(), "20".into()],
        ..Settings::default()
    })
}

#[test]
fn boto3_parses_every_response() {
    let server = scaled();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/boto3_api.py");
    let output = command(&server, "python3").arg(script).output();
    let Ok(output) = output else {
        return skipped("there is no python3");
    };
    let (told, wrong) = (text(&output.stdout), text(&output.stderr));
    match output.status.code() {
        Some(0) => println!("{told}"),
        Some(77) => skipped(told.trim()),
        _ => panic!("{told}\n{wrong}"),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

struct Cli<'a>(&'a Server);

impl Cli<'_> {
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = command(self.0, "aws");
        command
            .args(["lambda", "--output", "json"])
            .args(arguments)
            .output()
            .unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    fn error(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        text(&output.stderr)
    }
}

#[test]
fn the_aws_cli_invokes_reads_lists_completes_and_stops() {
    let server = scaled();
    let cli = Cli(&server);
    let help = command(&server, "aws").args(["lambda", "help"]).output();
    let knows = help.is_ok_and(|help| text(&help.stdout).contains("get-durable-execution-history"));
    if !knows {
        return skipped("there is no AWS CLI that knows durable executions");
    }
    let invoke = |function: &str, more: &[&str]| {
        let arguments = ["invoke", "--function-name", function];
        let arguments = [&arguments[..], more, &["answer"]].concat();
        (
            cli.json(&arguments),
            crate::server::read(&server.path("answer")),
        )
    };
    let (told, answer) = invoke(
        "steps:$LATEST",
        &["--payload", "4", "--durable-execution-name", "first"],
    );
    assert_eq!(
        (&told["StatusCode"], &told["ExecutedVersion"]),
        (&json!(200), &json!("$LATEST"))
    );
    assert_eq!(answer, "6");
    let arn = told["DurableExecutionArn"].as_str().unwrap().to_owned();
    let arn = ["--durable-execution-arn", arn.as_str()];

    let got = cli.json(&[&["get-durable-execution"], &arn[..]].concat());
    assert_eq!(
        (&got["Status"], &got["Result"], &got["InputPayload"]),
        (&json!("SUCCEEDED"), &json!("6"), &json!("4"))
    );
    let history = cli.json(
        &[
            &["get-durable-execution-history", "--page-size", "3"],
            &arn[..],
        ]
        .concat(),
    );
    let numbers = |history: &Value| -> Vec<u64> {
        let events = history["Events"].as_array().unwrap().iter();
        events
            .map(|event| event["EventId"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(numbers(&history), (1..=11).collect::<Vec<_>>());
    let reversed = cli.json(
        &[
            &[
                "get-durable-execution-history",
                "--reverse-order",
                "--page-size",
                "4",
            ],
            &arn[..],
        ]
        .concat(),
    );
    assert_eq!(numbers(&reversed), (1..=11).rev().collect::<Vec<_>>());

    let function = ["--function-name", "steps"];
    let list = cli.json(
        &[
            &[
                "list-durable-executions-by-function",
                "--statuses",
                "SUCCEEDED",
                "RUNNING",
            ],
            &function[..],
        ]
        .concat(),
    );
    assert_eq!(
        list["DurableExecutions"][0]["DurableExecutionName"],
        "first"
    );

    let (told, _) = invoke(
        "approval:$LATEST",
        &["--payload", "\"ann\"", "--invocation-type", "Event"],
    );
    assert_eq!(told["StatusCode"], 202);
    let waiting = told["DurableExecutionArn"].as_str().unwrap();
    let started = server.event(waiting, "CallbackStarted");
    let id = [
        "--callback-id",
        started["CallbackStartedDetails"]["CallbackId"]
            .as_str()
            .unwrap(),
    ];
    cli.json(&[&["send-durable-execution-callback-heartbeat"], &id[..]].concat());
    cli.json(
        &[
            &[
                "send-durable-execution-callback-success",
                "--result",
                "\"yes\"",
            ],
            &id[..],
        ]
        .concat(),
    );
    assert_eq!(server.until(waiting, "SUCCEEDED")["Result"], "\"ann: yes\"");
    let late = cli.error(
        &[
            &[
                "send-durable-execution-callback-failure",
                "--error",
                "ErrorMessage=no",
            ],
            &id[..],
        ]
        .concat(),
    );
    assert!(late.contains("(CallbackTimeoutException)"), "{late}");

    let (told, _) = invoke(
        "sleepy:$LATEST",
        &["--payload", "null", "--invocation-type", "Event"],
    );
    let sleepy = told["DurableExecutionArn"].as_str().unwrap();
    let stopped = cli.json(&[
        "stop-durable-execution",
        "--durable-execution-arn",
        sleepy,
        "--error",
        "ErrorMessage=enough",
    ]);
    assert!(stopped.get("StopTimestamp").is_some());
    assert_eq!(server.get(sleepy)["Status"], "STOPPED");

    let unqualified = cli.error(&["invoke", "--function-name", "steps", "answer"]);
    assert!(
        unqualified.contains("(InvalidParameterValueException)")
            && unqualified.contains("unqualified ARN"),
        "{unqualified}"
    );
    let missing = cli.error(&["invoke", "--function-name", "nobody", "answer"]);
    assert!(missing.contains("(ResourceNotFoundException)"), "{missing}");
}

#[test]
fn signatures_are_verified_if_a_secret_is_set() {
    let (key, secret) = ("LOCALKEY1234567890", "a/secret+of=the-tests");
    let server = Server::start(Settings {
        arguments: ["--access-key", key, "--secret-key", secret]
            .map(Into::into)
            .into(),
        ..Settings::default()
    });
    std::fs::write(server.folder.path().join("in.json"), "3").unwrap();
    let invoke = |secret: &str| {
        let mut command = command(&server, "aws");
        command
            .env("AWS_ACCESS_KEY_ID", key)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .args(["lambda", "invoke", "--function-name", "steps:$LATEST"])
            .args(["--payload", "fileb://in.json", "out.json"]);
        command.output()
    };
    let Ok(output) = invoke(secret) else {
        return skipped("the AWS CLI is not installed");
    };
    // The function signs its checkpoints with the same secret.
    assert!(output.status.success(), "{output:?}");
    let result = std::fs::read_to_string(server.folder.path().join("out.json")).unwrap();
    assert_eq!(result, "3");
    let refused = invoke("another-secret-key").unwrap();
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && text.contains("InvalidSignatureException"),
        "{refused:?}"
    );
    assert_eq!(server.invoke("steps:$LATEST", &json!(2)).error().0, 403);
}
