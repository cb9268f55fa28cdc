//! The server is killed repeatedly: every execution ends, and nothing takes effect twice.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{Server, Settings, random};

const EXECUTIONS: u64 = 50;
const KILLS: u32 = 12;

fn durable_on_disk() -> Server {
    Server::start(Settings {
        ephemeral: false,
        arguments: vec!["--time-scale".into(), "4".into()],
        ..Settings::default()
    })
}

/// Starts an execution, retrying while the server restarts. The execution's name makes retries safe.
fn begin(server: &mut Server, traveller: u64) -> String {
    let name = format!("traveller-{traveller}");
    let headers = [
        ("x-amz-invocation-type", "Event"),
        ("x-amz-durable-execution-name", name.as_str()),
    ];
    loop {
        match server.try_invoke("journey:$LATEST", &headers, &json!(traveller)) {
            Ok(answer) => {
                assert_eq!(answer.status, 202, "{answer:?}");
                return answer.header("x-amz-durable-execution-arn").to_owned();
            }
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Number of processes of this server's functions.
fn functions(server: &Server) -> usize {
    let marker = format!("SERVER_TESTS={}", server.folder.path().display());
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = processes.filter(|process| {
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|one| one == marker.as_bytes())
    });
    found.count()
}

#[test]
fn executions_survive_repeated_kills_of_the_server() {
    let mut random = random();
    let mut server = durable_on_disk();
    let arns: Vec<String> = (0..EXECUTIONS).map(|n| begin(&mut server, n)).collect();
    for _ in 0..KILLS {
        std::thread::sleep(Duration::from_millis(random.u64(20..900)));
        server.kill();
        server.resume();
    }
    for (traveller, arn) in arns.iter().enumerate() {
        let ended = server.until(arn, "SUCCEEDED");
        assert_eq!(
            ended["Result"],
            json!((30 + traveller).to_string()),
            "{ended}"
        );
        check_history(&server.history(arn));
    }
    // Each journey invokes `echo` once, even if its dispatch was repeated.
    let path = "/2025-12-01/functions/echo/durable-executions?MaxItems=1000";
    let echoes = server.call("GET", path, &Value::Null).json();
    assert_eq!(
        echoes["DurableExecutions"].as_array().unwrap().len() as u64,
        EXECUTIONS
    );
    let repeated = server.effects().len() as u64 - EXECUTIONS * 4;
    println!("{KILLS} kills under {EXECUTIONS} executions: {repeated} bodies ran again");
}

/// Checks that events are numbered without gaps and that every operation starts and ends once.
fn check_history(events: &[Value]) {
    let mut ends: HashMap<(String, String), u32> = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["EventId"], at as u64 + 1);
        let kind = event["EventType"].as_str().unwrap().to_owned();
        let id = event["Id"].as_str().unwrap_or_default().to_owned();
        if !id.is_empty() {
            *ends.entry((id, kind)).or_default() += 1;
        }
    }
    let twice: Vec<_> = ends.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let count = |kind: &str| ends.keys().filter(|(_, other)| other == kind).count();
    assert_eq!(
        [
            "StepStarted",
            "StepSucceeded",
            "WaitStarted",
            "WaitSucceeded",
            "ChainedInvokeSucceeded"
        ]
        .map(count),
        [3, 3, 3, 3, 2]
    );
    assert_eq!(events.last().unwrap()["EventType"], "ExecutionSucceeded");
}

#[test]
fn functions_die_with_a_killed_server() {
    let mut server = durable_on_disk();
    server.invoke("steps:$LATEST", &json!(1));
    server.invoke("plain", &json!(1));
    assert_eq!(
        functions(&server),
        3,
        "the server and a process for each function"
    );
    server.kill();
    let begun = Instant::now();
    while functions(&server) > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "functions outlive the server"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn callbacks_and_waits_survive_a_restart() {
    let mut server = durable_on_disk();
    let waiting = server.begin("approval:$LATEST", &json!("ann"));
    let started = server.event(&waiting, "CallbackStarted");
    let id = started["CallbackStartedDetails"]["CallbackId"]
        .as_str()
        .unwrap();
    server.event(&waiting, "InvocationCompleted");
    server.kill();
    server.resume();
    let answer = server.call(
        "POST",
        &crate::server::callback(id, "succeed"),
        &json!("yes"),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        server.until(&waiting, "SUCCEEDED")["Result"],
        "\"ann: yes\""
    );
}

#[test]
fn a_state_file_is_locked_by_its_server() {
    let server = durable_on_disk();
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_command"))
        .args([
            "lambda",
            "--listen",
            "127.0.0.1:0",
            "--state",
            "state.db",
            "--",
            "true",
        ])
        .current_dir(server.folder.path())
        .output();
    let second = second.unwrap();
    let stderr = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(stderr.contains("another server is using it"), "{stderr}");
}
