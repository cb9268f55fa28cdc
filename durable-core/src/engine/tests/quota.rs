//! Limits on the operations and bytes of an execution.

use super::*;

fn limits(operations: Option<u64>, written: Option<u64>) -> Capabilities {
    let mut limits = Capabilities::unlimited(Durability::Power);
    limits.max_operations = operations;
    limits.max_total_bytes = written;
    limits
}

fn names(count: usize) -> Vec<&'static str> {
    (0..count).map(|n| &*format!("s{n}").leak()).collect()
}

/// Runs `count` steps. Returns the warnings and the decision of the last.
fn steps(script: &mut Script, count: usize) -> (Vec<String>, Decision) {
    let (mut warnings, mut last) = (Vec::new(), Decision::Stopped);
    for name in names(count) {
        let op = script.register(step(name));
        last = script.decide(op);
        if last == Decision::Run {
            script.begin(op);
            script.succeed(op, "1");
            script.commit();
        }
        warnings.extend(script.engine.quota_warning());
    }
    (warnings, last)
}

#[test]
fn a_step_beyond_the_last_operation_fails_and_nothing_is_written() {
    let mut script = Script::limited(Vec::new(), false, limits(Some(200), None));
    let (warnings, last) = steps(&mut script, 199);
    let Decision::Recorded(Outcome::Error(error)) = last else {
        panic!("the 199th step of 200, of which 2 are reserved: {last:?}");
    };
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(error.operation(), "s198");
    assert!(error.message().contains("operation 199"), "{error}");
    assert_eq!(script.commit(), []);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("160 of the 200 operations"),
        "{warnings:?}"
    );
    assert!(warnings[0].contains("`s159`"), "{warnings:?}");
}

#[test]
fn recorded_operations_are_replayed_beyond_the_limit() {
    let records = history(|script| {
        for name in names(50) {
            script.run(step(name), "1");
        }
    });
    let mut script = Script::limited(records, false, limits(Some(10), None));
    let last = script.register(step("s49"));
    assert_eq!(script.decide(last), value("1"));
}

#[test]
fn operations_without_an_error_end_the_execution_instead() {
    for kind in [Kind::Wait, Kind::Map, Kind::Parallel, Kind::Race] {
        let mut script = Script::limited(Vec::new(), false, limits(Some(1), None));
        let op = script.register(site(kind, "w"));
        let now = script.time();
        if kind == Kind::Wait {
            script
                .engine
                .start_timer(op, now.after(Duration::from_secs(1)), now);
        }
        assert_eq!(script.decide(op), Decision::Stopped, "{kind}");
        let error = script.engine.unwinding().unwrap();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_eq!(script.commit(), []);
    }
}

#[test]
fn undo_bodies_may_use_the_reserve() {
    let mut script = Script::limited(Vec::new(), false, limits(Some(1), None));
    let op = script.register(site(Kind::Undo, "u"));
    assert_eq!(script.decide(op), Decision::Run);
}

#[test]
fn a_value_that_exceeds_the_remaining_bytes_fails_its_step() {
    let mut script = Script::limited(Vec::new(), false, limits(None, Some(100)));
    let text = "x".repeat(80);
    script.run(step("first"), &text);
    script.commit();
    let warning = script.engine.quota_warning().unwrap();
    assert!(warning.contains("80 of the 100 bytes"), "{warning}");
    assert_eq!(script.engine.quota_warning(), None, "once");
    let second = script.run(step("second"), &text);
    script.commit();
    let Decision::Recorded(Outcome::Error(error)) = script.decide(second) else {
        panic!("it is too large");
    };
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.message().contains("the rest of the bytes"), "{error}");
}

#[test]
fn binary_values_count_with_their_stored_size() {
    let mut limits = limits(None, None).with_max_value(120);
    limits.text_only = true;
    let mut script = Script::limited(Vec::new(), false, limits);
    for (text, fits) in [(&[b'x'; 100], true), (&[0xff; 100], false)] {
        let op = script.register(step(if fits { "text" } else { "bytes" }));
        script.begin(op);
        let value = Payload {
            codec: "raw".into(),
            data: text.to_vec().into(),
        };
        let now = script.time();
        script.engine.succeed(op, value, "T", now);
        let record = script.commit().remove(0);
        assert_eq!(record.status == Status::Succeeded, fits);
    }
}

#[test]
fn a_timer_over_the_limit_ends_the_execution_and_a_retry_is_sooner() {
    let mut limits = limits(None, None);
    limits.max_timer = Some(Duration::from_secs(10));
    let mut script = Script::limited(Vec::new(), false, limits);
    let op = script.register(step("s"));
    script.begin(op);
    script.retry(op, 60_000);
    let due = script.commit()[0].due_at;
    assert_eq!(due, Some(Timestamp::from_millis(11_000)));
    let wait = script.register(site(Kind::Wait, "w"));
    let now = script.time();
    script
        .engine
        .start_timer(wait, now.after(Duration::from_secs(11)), now);
    assert_eq!(script.decide(wait), Decision::Stopped);
    let error = script.engine.unwinding().unwrap().to_string();
    assert!(error.contains("11s") && error.contains("10s"), "{error}");
}

#[test]
fn long_errors_are_shortened_from_the_end_of_their_causes() {
    let mut limits = limits(None, None);
    limits.max_error = 300;
    let mut script = Script::limited(Vec::new(), false, limits);
    let op = script.register(step("s"));
    script.begin(op);
    script.fail(op, &"long ".repeat(200));
    let error = script.commit().remove(0).error.unwrap();
    assert!(error.message().len() < 300 && error.message().starts_with("long long"));
    assert!(error.message().ends_with("… (shortened)"), "{error}");
    let short = OperationError::new("s", ErrorKind::Failed, "short");
    assert_eq!(short.clone().shortened(300), short);
}

/// Limits of a store that does not load the operations of ended scopes.
fn forgetful(operations: u64) -> Capabilities {
    let mut limits = limits(Some(operations), None);
    (limits.service_driven, limits.keeps_children) = (true, false);
    limits
}

#[test]
fn hidden_operations_are_counted_in_a_record_of_the_next_batch() {
    let mut script = Script::limited(Vec::new(), false, forgetful(100));
    let scope = script.register(site(Kind::Scope, "part"));
    let now = script.time();
    script.engine.enter(scope, now);
    let inside = script.engine.open_scope(scope);
    for name in names(10) {
        let op = script.engine.register(inside, step(name), RunKey::FromSite);
        script.begin(op);
        script.succeed(op, "1");
        assert!(
            !script.commit().iter().any(Record::is_internal),
            "nothing is hidden yet"
        );
    }
    script.succeed(scope, "2");
    let mut loaded = script.commit();
    assert_eq!(loaded.len(), 2, "the scope, and the count of its steps");
    assert!(loaded[1].is_internal());
    assert_eq!(script.commit(), []);

    // Of a hundred, 12 are used up: ten that are hidden, the scope, and the count.
    for (at, record) in (1..).zip(&mut loaded) {
        record.seq = at;
    }
    let mut script = Script::limited(loaded, false, forgetful(100));
    let (_, last) = steps(&mut script, 87);
    assert_eq!(last, Decision::Run);
    let op = script.register(step("one too many"));
    assert!(matches!(
        script.decide(op),
        Decision::Recorded(Outcome::Error(_))
    ));
}

#[test]
fn a_sequence_without_scopes_records_no_count() {
    let mut script = Script::limited(Vec::new(), false, forgetful(100));
    for name in names(50) {
        script.run(step(name), "1");
        assert_eq!(script.commit().len(), 1);
    }
}
