//! Output for hand-made histories. `BLESS=1` rewrites the files in `golden/`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::time::Duration;

use durable_cli::json::{Executions, History};
use durable_cli::render::{self, Style};
use durable_core::store::{Execution, ExecutionStatus, Parent};
use durable_core::{
    Codec as _, Kind, MessagePack, Occurrence, OperationId, Payload, Record, Status,
};
use support::{History as HistoryBuilder, execution, import, json, key, leaking};

fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, expected,
        "{name} differs; BLESS=1 rewrites it. Printed:\n{text}"
    );
}

#[test]
fn ls_is_a_table() {
    let mut executions: Vec<_> = ExecutionStatus::ALL
        .into_iter()
        .map(|status| execution(&format!("import-{status}"), status))
        .collect();
    executions[2].wake_at = Some(support::after(86_400_000));
    check("ls.txt", &render::ls(&executions, &[], true, Style::Plain));
    let listing = Executions::new(&executions[2..3], false);
    check("ls.json", &serde_json::to_string_pretty(&listing).unwrap());
}

#[test]
fn an_empty_listing_has_no_table() {
    assert_eq!(
        render::ls(&[], &[], false, Style::Colour),
        "no executions\n"
    );
}

#[test]
fn show_is_a_tree() {
    let (execution, records) = import();
    check(
        "show.txt",
        &render::show(&execution, &records, false, Style::Plain),
    );
    check(
        "show_full.txt",
        &render::show(&execution, &records, true, Style::Plain),
    );
    let history = History::new(&execution, &records, false);
    check(
        "show.json",
        &serde_json::to_string_pretty(&history).unwrap(),
    );
}

/// Builds an execution that another one waits for: an open callback with heartbeats, an invoked
/// execution, a poll between two checks, a map and a batch.
fn approval() -> (Execution, Vec<Record>) {
    let root = OperationId::ROOT;
    let mut execution = execution("order-7.1", ExecutionStatus::Suspended);
    execution.handler = "approve".into();
    execution.parent = Some(Parent {
        execution: "order-7".parse().unwrap(),
        seq: 3,
        operation: OperationId::of(root, "approve", &Occurrence::Once),
    });
    (execution.changes, execution.cancel) = (1, true);
    let mut history = HistoryBuilder::default();
    let asked = history.add(root, Kind::Callback, "asked", Occurrence::Once);
    open(asked);
    asked.handle = Some(format!("order-7.1:1:{}:00ff", asked.id));
    asked.heartbeat = Some(Duration::from_secs(30));
    (asked.due_at, asked.deadline) = (
        Some(support::after(30_000)),
        Some(support::after(86_400_000)),
    );
    let invoke = history.add(root, Kind::Invoke, "stock", Occurrence::Once);
    invoke.handle = Some("stock-7".into());
    invoke.payload = Some(json("12"));
    let poll = history.add(root, Kind::Poll, "shipped", Occurrence::Once);
    open(poll);
    (poll.status, poll.attempt) = (Status::Pending, 4);
    (poll.payload, poll.due_at) = (Some(json(r#"{"seen":2}"#)), Some(support::after(60_000)));
    let map = history.add(root, Kind::Map, "items", Occurrence::Once).id;
    let batch = history.add(map, Kind::Batch, "batch", Occurrence::Ordered(0));
    (batch.extent, batch.payload) = (Some(500), None);
    (execution, history.0)
}

/// Builds an execution with very long keys, labels in wide scripts and deeply nested scopes.
fn long_names() -> (Execution, Vec<Record>) {
    let execution = execution("import-10", ExecutionStatus::Suspended);
    let mut history = HistoryBuilder::default();
    let long = format!("s3://bucket/{}.csv", "part/".repeat(400));
    let load = history.add(OperationId::ROOT, Kind::Step, "load", key(&long));
    load.payload = Some(json("1"));
    let label = history.add(OperationId::ROOT, Kind::Step, "mail", key("17"));
    label.label = Some("東京の本社に宛てた、とても長い注文確認のメールです".into());
    let mut scope = OperationId::ROOT;
    for name in ["regions", "countries", "cities", "streets"] {
        scope = history.add(scope, Kind::Scope, name, key(&long)).id;
    }
    history.add(scope, Kind::Step, "count", Occurrence::Once);
    (execution, history.0)
}

#[test]
fn long_keys_and_labels_are_shortened_in_tables_but_not_in_json() {
    let (execution, records) = long_names();
    let text = render::show(&execution, &records, false, Style::Plain);
    check("long_names.txt", &text);
    let long = records[0].display_name();
    assert!(!text.contains(&long));
    assert!(render::show(&execution, &records, true, Style::Plain).contains(&long));
    let history = serde_json::to_value(History::new(&execution, &records, false)).unwrap();
    assert_eq!(history["operations"][0]["path"], *long);
}

fn open(record: &mut Record) {
    (record.payload, record.ended_at) = (None, None);
    record.status = Status::Started;
}

#[test]
fn callbacks_parents_and_successors_are_shown() {
    let (mut execution, records) = approval();
    let text = render::show(&execution, &records, false, Style::Plain);
    check("external.txt", &text);
    let history = History::new(&execution, &records, false);
    check(
        "external.json",
        &serde_json::to_string_pretty(&history).unwrap(),
    );
    (execution.status, execution.cancel) = (ExecutionStatus::Continued, false);
    execution.next = Some("order-7.1~2".parse().unwrap());
    let text = render::show(&execution, &[], false, Style::Plain);
    check("continued.txt", &text);
    let summary = Executions::new(&[execution], false);
    let summary = serde_json::to_value(summary).unwrap();
    assert_eq!(summary["executions"][0]["next"], "order-7.1~2");
}

#[test]
fn colours_do_not_change_the_text() {
    let (execution, records) = import();
    let plain = render::show(&execution, &records, false, Style::Plain);
    let colour = render::show(&execution, &records, false, Style::Colour);
    assert!(colour.contains("\u{1b}[32msucceeded\u{1b}[0m"));
    let mut bare = String::new();
    for (index, part) in colour.split('\u{1b}').enumerate() {
        let (_, text) = part
            .split_once('m')
            .filter(|_| index > 0)
            .unwrap_or(("", part));
        bare.push_str(text);
    }
    assert_eq!(bare, plain);
}

#[test]
fn secrets_are_hidden_everywhere() {
    let (execution, records) = leaking();
    for full in [false, true] {
        let history = History::new(&execution, &records, full);
        let texts = [
            render::show(&execution, &records, full, Style::Plain),
            serde_json::to_string(&history).unwrap(),
        ];
        for text in texts {
            assert!(!text.contains("hunter2"), "{text}");
            assert!(!text.contains("4111"), "{text}");
            assert!(text.contains("secret"), "{text}");
        }
    }
    check(
        "secret.txt",
        &render::show(&execution, &records, true, Style::Plain),
    );
}

/// Builds a blocked execution of a sealed store, as it is read without the key.
fn sealed() -> (Execution, Vec<Record>) {
    let payload = Payload {
        codec: "json+aes-gcm:k1".into(),
        data: "\u{1}veiled".into(),
    };
    let mut execution = execution("import-9", ExecutionStatus::Blocked);
    execution.input = payload.clone();
    let report = "The report is sealed with `aes-gcm:k1`.\nsealed report: text+aes-gcm:k1 00ff";
    execution.report = Some(report.into());
    let mut history = HistoryBuilder::default();
    let read = history.add(OperationId::ROOT, Kind::Step, "read", Occurrence::Once);
    read.payload = Some(payload);
    let load = history.add(OperationId::ROOT, Kind::Step, "load", key("a.csv"));
    (load.status, load.payload, load.secret) = (Status::Failed, None, true);
    let send = history.add(OperationId::ROOT, Kind::Step, "send", Occurrence::Once);
    (send.status, send.payload) = (Status::Failed, None);
    let error = r#"{"operation":"send","kind":"timed_out","attempts":2,"message":"sealed with `aes-gcm:k1`",
        "type_name":"","chain":[],"sealed":"json+aes-gcm:k1 00ff"}"#;
    send.error = Some(serde_json::from_str(error).unwrap());
    let error = send.error.clone();
    history.0[1].error = error;
    (execution, history.0)
}

#[test]
fn sealed_values_are_marked_as_sealed() {
    let (execution, records) = sealed();
    let text = render::show(&execution, &records, true, Style::Plain);
    check("sealed.txt", &text);
    let history = serde_json::to_value(History::new(&execution, &records, true)).unwrap();
    let execution = &history["execution"];
    assert_eq!(execution["input"]["hidden"], "sealed");
    assert_eq!(execution["input"]["codec"], "json+aes-gcm:k1");
    assert_eq!(
        execution["report"],
        "The report is sealed with `aes-gcm:k1`."
    );
}

#[test]
fn long_values_are_omitted_from_json_without_full() {
    let (mut execution, _) = import();
    execution.output = Some(json(&format!("[{}0]", "1234567, ".repeat(200))));
    let print = |full| serde_json::to_value(History::new(&execution, &[], full)).unwrap();
    let short = print(false);
    assert_eq!(short["execution"]["output"]["hidden"], "long");
    assert_eq!(
        short["execution"]["output"]["json"],
        serde_json::Value::Null
    );
    let full = print(true);
    assert_eq!(
        full["execution"]["output"]["hidden"],
        serde_json::Value::Null
    );
    assert_eq!(full["execution"]["output"]["json"][199], 1_234_567);
}

#[test]
fn a_value_cannot_control_the_terminal() {
    let (mut execution, _) = import();
    execution.output = Some(json("\"\u{1b}[2Jgone\""));
    let text = render::show(&execution, &[], false, Style::Plain);
    assert!(text.contains("\\u{1b}[2Jgone"), "{text}");
}

#[test]
fn colours_need_a_terminal_that_supports_them() {
    let set = |text: &str| Some(text.into());
    assert_eq!(Style::for_terminal(true, None, set("xterm")), Style::Colour);
    assert_eq!(Style::for_terminal(true, set(""), None), Style::Colour);
    assert_eq!(Style::for_terminal(false, None, None), Style::Plain);
    assert_eq!(Style::for_terminal(true, set("1"), None), Style::Plain);
    assert_eq!(Style::for_terminal(true, None, set("dumb")), Style::Plain);
}

#[test]
fn values_keep_their_digits_and_the_order_of_their_fields() {
    let (mut execution, _) = import();
    let wide = r#"{"b":340282366920938463463374607431768211455,"a":[1.10,2]}"#;
    for (codec, data, text, hidden) in [
        ("json", &br#"{"b":1,"a":2}"#[..], None, None),
        ("json", wide.as_bytes(), Some(wide), None),
        ("json", b"[ 1 ]", Some("[ 1 ]"), None),
        ("msgpack", b"1", None, Some("not_json")),
    ] {
        let (codec, data) = (codec.into(), data.to_vec().into());
        execution.output = Some(Payload { codec, data });
        let history = History::new(&execution, &[], true);
        let output = history.execution.output.unwrap();
        assert_eq!((output.text.as_deref(), output.hidden), (text, hidden));
        let json = output.json.map(|json| json.to_string());
        let data = &execution.output.as_ref().unwrap().data;
        let written = std::str::from_utf8(data).unwrap().replace(' ', "");
        assert_eq!(json, hidden.is_none().then_some(written));
    }
    // A binary value is not shown as text, even if its bytes are valid UTF-8.
    let shown = render::show(&execution, &[], true, Style::Plain);
    assert!(shown.contains("(msgpack, not text)"), "{shown}");
}

#[test]
fn a_secret_in_a_binary_value_is_hidden_in_other_values() {
    let (mut execution, _) = import();
    execution.output = Some(json(r#"{"paid with":"4111-1111","digits":17011}"#));
    let mut history = HistoryBuilder::default();
    let card = history.add(OperationId::ROOT, Kind::Step, "card", Occurrence::Once);
    let value = (1_u8, vec!["4111-1111".to_owned()], Some(17_011_u32));
    let data = MessagePack.encode(&value);
    let (codec, data) = ("msgpack".into(), data.unwrap().into());
    (card.payload, card.secret) = (Some(Payload { codec, data }), true);
    let shown = render::show(&execution, &history.0, true, Style::Plain);
    let printed = serde_json::to_string(&History::new(&execution, &history.0, true)).unwrap();
    for text in [shown, printed] {
        assert!(
            !text.contains("4111-1111") && !text.contains("17011"),
            "{text}"
        );
    }
}
