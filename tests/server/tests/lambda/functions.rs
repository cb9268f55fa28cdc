//! Tests of function processes: crashes, timeouts, new binaries, logs.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::{Server, Settings, function, read};

fn plain(more: &str) -> Server {
    Server::start(Settings {
        functions: function("plain", more),
        arguments: vec!["--function-logs".into(), "logs".into()],
        ..Settings::default()
    })
}

#[test]
fn a_function_that_is_not_durable_can_be_invoked() {
    let server = plain("");
    let tail = [("x-amz-log-type", "Tail")];
    let answer = server.try_invoke("plain", &tail, &json!({"a": 1})).unwrap();
    assert_eq!((answer.status, answer.json()), (200, json!({"a": 1})));
    assert!(answer.header("x-amz-durable-execution-arn").is_empty());
    assert!(!answer.header("x-amz-log-result").is_empty());
    assert!(
        server.output().contains("[plain] plain got 7 bytes"),
        "{}",
        server.output()
    );
    assert_eq!(read(&server.path("logs/plain.log")), "plain got 7 bytes\n");
    let failed = server.invoke("plain", &json!("fail"));
    assert_eq!(failed.header("x-amz-function-error"), "Unhandled");
    assert_eq!(
        failed.json(),
        json!({"errorType": "Refused", "errorMessage": "no"})
    );
}

#[test]
fn a_crashed_function_is_restarted() {
    let server = plain("");
    let crashed = server.invoke("plain", &json!("crash"));
    assert_eq!(crashed.header("x-amz-function-error"), "Unhandled");
    assert_eq!(crashed.json()["errorType"], "Runtime.ExitError");
    let message = crashed.json()["errorMessage"].as_str().unwrap().to_owned();
    assert!(message.contains("exit status: 3"), "{message}");
    assert_eq!(server.invoke("plain", &json!(1)).json(), 1);
}

#[test]
fn a_function_that_times_out_is_killed() {
    let server = plain("timeout = 1");
    let begun = Instant::now();
    let hung = server.invoke("plain", &json!("hang"));
    assert_eq!(hung.json()["errorType"], "Sandbox.Timedout");
    let message = hung.json()["errorMessage"].as_str().unwrap().to_owned();
    assert!(
        message.ends_with("Task timed out after 1.00 seconds"),
        "{message}"
    );
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert_eq!(server.invoke("plain", &json!(1)).json(), 1);
}

#[test]
fn an_asynchronous_invocation_has_three_attempts() {
    let server = Server::start(Settings {
        functions: function("plain", ""),
        arguments: vec!["--time-scale".into(), "1000".into()],
        ..Settings::default()
    });
    let event = [("x-amz-invocation-type", "Event")];
    let answer = server.try_invoke("plain", &event, &json!("fail")).unwrap();
    assert_eq!((answer.status, answer.body.len()), (202, 0));
    let begun = Instant::now();
    while server.output().matches("plain got 6 bytes").count() < 3 {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{}",
            server.output()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(server.output().matches("plain got 6 bytes").count(), 3);
}

#[test]
fn a_function_that_cannot_start_fails_its_executions_with_the_reason() {
    let server = Server::start(Settings {
        functions: function("wrong", "")
            + "[functions.absent]\ncommand = [\"./no-such-program\"]\n",
        arguments: vec!["--time-scale".into(), "100".into()],
        ..Settings::default()
    });
    let wrong = server.invoke("wrong:$LATEST", &json!(null));
    assert_eq!(wrong.json()["errorType"], "Runtime.ExitError");
    let absent = server.invoke("absent:$LATEST", &json!(null));
    assert_eq!(absent.header("x-amz-function-error"), "Unhandled");
    assert!(
        server.output().contains("no-such-program"),
        "{}",
        server.output()
    );
    let arn = absent.header("x-amz-durable-execution-arn");
    let invocations = server
        .history(arn)
        .into_iter()
        .filter(|event| event["EventType"] == "InvocationCompleted");
    assert_eq!(invocations.count(), 5);
}

#[test]
fn a_new_binary_is_used_from_the_next_invocation_on() {
    let script = |word: &str| {
        format!(
            "#!/bin/sh\nwhile true; do\n\
             head=$(curl -sS -D - -o event http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next) || exit\n\
             id=$(echo \"$head\" | tr -d '\\r' | sed -n 's/^lambda-runtime-aws-request-id: //p')\n\
             curl -sS -o reply -X POST -d '\"{word}\"' http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response\n\
             done\n"
        )
    };
    if std::process::Command::new("curl")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("skipped: there is no curl");
        return;
    }
    let server = Server::start(Settings {
        functions: "[functions.shell]\ncommand = [\"./shell.sh\"]\ncwd = \".\"\ndurable = false\n"
            .into(),
        ..Settings::default()
    });
    let write = |word: &str| {
        let new = server.path("new.sh");
        std::fs::write(&new, script(word)).unwrap();
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(new, server.path("shell.sh")).unwrap();
    };
    write("one");
    assert_eq!(server.invoke("shell", &json!(null)).json(), "one");
    write("other");
    assert_eq!(server.invoke("shell", &json!(null)).json(), "other");
    assert!(
        server.output().contains("shell: files changed, restarting"),
        "{}",
        server.output()
    );
}

#[test]
fn invalid_settings_are_refused_with_advice() {
    let refused = |arguments: &[&str]| {
        let command = std::process::Command::new(env!("CARGO_BIN_EXE_command"))
            .arg("lambda")
            .args(arguments)
            .output();
        let output = command.unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("functions.toml");
    let path = file.display().to_string();
    for (text, expected) in [
        ("", "missing field `functions`"),
        ("[functions]", "no function to run"),
        (
            "[functions.f]\ncommand = []",
            "function `f`: `command` is empty",
        ),
        (
            "[functions.f]\ncommand = [\"f\"]\ntimeout = 901",
            "`timeout` must be 1 to 900 seconds",
        ),
        (
            "[functions.f]\ncommand = [\"f\"]\ntimeuot = 1",
            "unknown field `timeuot`",
        ),
        (
            "[functions.\"a b\"]\ncommand = [\"f\"]",
            "function `a b`: invalid name",
        ),
        (
            "[functions.f]\ncommand = [\"f\"]\naliases = [\"live\"]",
            "`aliases` need a `version`",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let stderr = refused(&["--ephemeral", "--config", &path]);
        assert!(stderr.contains(expected), "{text}: {stderr}");
    }
    let stderr = refused(&["--ephemeral", "--listen", "0.0.0.0:0", "--", "f"]);
    assert!(stderr.contains("needs an access key"), "{stderr}");
    let stderr = refused(&["--ephemeral", "--time-scale", "0", "--", "f"]);
    assert!(stderr.contains("invalid time scale"), "{stderr}");
    let other = folder.path().join("other.db");
    std::fs::write(
        &other,
        "not a database, but some text that is long enough to be one",
    )
    .unwrap();
    let stderr = refused(&["--state", &other.display().to_string(), "--", "f"]);
    assert!(
        stderr.contains("cannot open") && stderr.contains("other.db"),
        "{stderr}"
    );
}
