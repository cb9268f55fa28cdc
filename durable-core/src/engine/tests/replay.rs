use super::*;
use crate::engine::{CallbackTimeouts, StopReason};

fn blocked(script: &Script) -> &str {
    match script.engine.stop() {
        Some(StopReason::Blocked(report)) => report,
        other => panic!("not blocked: {other:?}"),
    }
}

#[test]
fn a_live_value_is_returned_only_when_it_is_durable() {
    let mut script = Script::new();
    let id = script.run(step("a"), "1");
    assert_eq!(script.decide(id), Decision::NotDurable);
    script.engine.take_batch(None).unwrap();
    assert_eq!(script.decide(id), Decision::NotDurable);
    script.engine.acknowledge(&Ack::default());
    assert_eq!(script.decide(id), value("1"));
}

#[test]
fn a_recorded_value_and_a_recorded_error_are_answered() {
    let records = history(|script| {
        script.run(step("good"), "1");
        let bad = script.register(step("bad"));
        script.begin(bad);
        script.fail(bad, "no");
    });
    let mut script = Script::with(records, false);
    let (good, bad) = (script.register(step("good")), script.register(step("bad")));
    assert_eq!(script.decide(good), value("1"));
    let Decision::Recorded(Outcome::Error(error)) = script.decide(bad) else {
        panic!("no error");
    };
    assert_eq!(error.message(), "no");
    assert_eq!(script.engine.counts().replayed, 2);
    assert!(script.commit().is_empty(), "replay writes nothing");
}

#[test]
fn identity_is_the_name_not_the_position() {
    let records = history(|script| {
        script.run(step("a"), "1");
        script.run(step("b"), "2");
    });
    let mut script = Script::with(records, false);
    let new = script.register(step("new"));
    let b = script.register(step("b"));
    let a = script.register(step("a"));
    assert_eq!(script.decide(new), Decision::Run);
    assert_eq!(script.decide(b), value("2"));
    assert_eq!(script.decide(a), value("1"));
}

#[test]
fn keys_and_numbers_are_different_identities() {
    let ordered: &'static Site = Box::leak(Box::new(Site::new(Kind::Step, "s", "f", 1).ordered()));
    let keyed: &'static Site = Box::leak(Box::new(Site::new(Kind::Step, "s", "f", 1).keyed()));
    let mut script = Script::new();
    let numbers = [script.register(ordered), script.register(ordered)];
    let keys = [
        script.register_key(keyed, "0"),
        script.register_key(keyed, "1"),
    ];
    let once = script.register(step("s"));
    let mut all = [numbers[0], numbers[1], keys[0], keys[1], once];
    all.sort();
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(script.engine.stop().is_none());
}

#[test]
fn another_kind_blocks_with_a_report() {
    let records = history(|script| {
        script.run(step("load"), "1");
    });
    let mut script = Script::with(records, false);
    let id = script.register(site(Kind::Wait, "load"));
    assert_eq!(script.decide(id), Decision::Stopped);
    let report = blocked(&script);
    for part in ["wait `load` (script.rs:1)", "step `load`", "was = \"load\""] {
        assert!(report.contains(part), "{part:?} is missing in {report}");
    }
}

#[test]
fn a_step_does_not_answer_a_recorded_value() {
    let records = history(|script| {
        script.run(step("now"), "1");
    });
    let mut script = Script::with(records, false);
    script.register(site(Kind::Record, "now"));
    assert!(blocked(&script).contains("record `now`"));
}

#[test]
fn an_identity_registered_twice_blocks_and_names_both() {
    let mut script = Script::new();
    let keyed: &'static Site = Box::leak(Box::new(Site::new(Kind::Step, "s", "f.rs", 7).keyed()));
    let other: &'static Site = Box::leak(Box::new(Site::new(Kind::Step, "s", "f.rs", 9).keyed()));
    script.register_key(keyed, "x");
    script.register_key(other, "x");
    let report = blocked(&script);
    assert!(
        report.contains("f.rs:7") && report.contains("f.rs:9"),
        "{report}"
    );
    assert!(report.contains("`s[x]`"), "{report}");
}

#[test]
fn was_applies_only_without_a_record_of_the_new_name() {
    let renamed: &'static Site =
        Box::leak(Box::new(Site::new(Kind::Step, "new", "f", 1).was(&["old"])));
    let records = history(|script| {
        script.run(step("old"), "1");
    });
    let mut script = Script::with(records, false);
    let id = script.register(renamed);
    assert_eq!(script.decide(id), value("1"));

    let records = history(|script| {
        script.run(step("old"), "1");
        script.run(step("new"), "2");
    });
    let mut script = Script::with(records, false);
    let id = script.register(renamed);
    assert_eq!(script.decide(id), value("2"));
}

#[test]
fn was_follows_a_site_into_and_out_of_a_loop() {
    let records = history(|script| {
        script.run(step("load"), "1");
    });
    let looped: &'static Site = Box::leak(Box::new(
        Site::new(Kind::Step, "load", "f", 1)
            .ordered()
            .was(&["load"]),
    ));
    let mut script = Script::with(records, false);
    let (first, second) = (script.register(looped), script.register(looped));
    assert_eq!(script.decide(first), value("1"));
    assert_eq!(script.decide(second), Decision::Run);

    let keyed: &'static Site = Box::leak(Box::new(Site::new(Kind::Step, "load", "f", 1).keyed()));
    let records = history(|script| {
        let id = script.register_key(keyed, "a.csv");
        script.begin(id);
        script.succeed(id, "2");
    });
    let single: &'static Site = Box::leak(Box::new(
        Site::new(Kind::Step, "load", "f", 1).was(&["load[a.csv]"]),
    ));
    let mut script = Script::with(records, false);
    let id = script.register(single);
    assert_eq!(script.decide(id), value("2"));
}

#[test]
fn the_record_of_an_earlier_name_answers_one_run_only() {
    let records = history(|script| {
        script.run(step("load"), "1");
    });
    let keyed: &'static Site = Box::leak(Box::new(
        Site::new(Kind::Step, "load", "f", 1).keyed().was(&["load"]),
    ));
    let mut script = Script::with(records, false);
    let (first, second) = (
        script.register_key(keyed, "a"),
        script.register_key(keyed, "b"),
    );
    assert_eq!(script.decide(first), value("1"));
    assert_eq!(script.decide(second), Decision::Run);
}

#[test]
fn a_renamed_scope_keeps_its_operations() {
    let records = history(|script| {
        let scope = script.register(site(Kind::Scope, "old"));
        script.engine.enter(scope, Timestamp::from_millis(1));
        let inside = script.engine.open_scope(scope);
        let id = script.engine.register(inside, step("a"), RunKey::FromSite);
        script.begin(id);
        script.succeed(id, "1");
    });
    let renamed: &'static Site = Box::leak(Box::new(
        Site::new(Kind::Scope, "new", "f", 1).was(&["old"]),
    ));
    let mut script = Script::with(records, false);
    let scope = script.register(renamed);
    assert_eq!(script.decide(scope), Decision::Run);
    let inside = script.engine.open_scope(scope);
    let id = script.engine.register(inside, step("a"), RunKey::FromSite);
    assert_eq!(script.decide(id), value("1"));
    assert_eq!(
        script.engine.path(id),
        "old/a",
        "displayed as it was recorded"
    );
}

#[test]
fn a_timer_ends_when_its_time_has_come_and_not_before() {
    let mut script = Script::new();
    let id = script.register(site(Kind::Wait, "w"));
    let due = Timestamp::from_millis(5_000);
    let now = script.time();
    script.engine.start_timer(id, due, now);
    assert!(script.engine.has_urgent(), "its START is written at once");
    assert_eq!(script.decide(id), Decision::Until(due));
    script.now = 4_999;
    assert_eq!(script.decide(id), Decision::Until(due));
    script.now = 5_000;
    assert_eq!(script.decide(id), Decision::Recorded(Outcome::Done));
}

#[test]
fn a_recorded_timer_that_cannot_end_blocks() {
    let mut records = history(|script| {
        let id = script.register(site(Kind::Wait, "w"));
        let now = script.time();
        script
            .engine
            .start_timer(id, Timestamp::from_millis(5_000), now);
    });
    let end = records[0].due_at;
    for (status, due) in [(Status::Started, None), (Status::Pending, end)] {
        (records[0].status, records[0].due_at) = (status, due);
        let mut script = Script::with(records.clone(), false);
        let id = script.register(site(Kind::Wait, "w"));
        assert_eq!(script.decide(id), Decision::Stopped);
        let report = blocked(&script);
        assert!(report.contains("started and has an end"), "{report}");
    }
}

#[test]
fn a_recorded_callback_that_is_pending_waits() {
    let mut records = history(|script| {
        let id = script.register(site(Kind::Callback, "c"));
        let limits = CallbackTimeouts {
            timeout: None,
            heartbeat: None,
        };
        let now = script.time();
        script
            .engine
            .start_external(id, "ours".to_owned(), limits, now);
    });
    records[0].status = Status::Pending;
    let mut script = Script::with(records, false);
    let id = script.register(site(Kind::Callback, "c"));
    assert_eq!(script.decide(id), Decision::External(None));
}

#[test]
fn a_timer_keeps_its_first_end_over_replays() {
    let records = history(|script| {
        let id = script.register(site(Kind::Wait, "w"));
        script
            .engine
            .start_timer(id, Timestamp::from_millis(5_000), Timestamp::from_millis(1));
    });
    let mut script = Script::with(records, false);
    script.now = 3_000;
    let id = script.register(site(Kind::Wait, "w"));
    let now = script.time();
    script
        .engine
        .start_timer(id, Timestamp::from_millis(9_000), now);
    assert_eq!(
        script.decide(id),
        Decision::Until(Timestamp::from_millis(5_000))
    );
}

#[test]
fn a_timer_stays_ended_when_the_clock_is_set_back() {
    let records = history(|script| {
        script.now = 9_000;
        script.run(step("late"), "1");
        let id = script.register(site(Kind::Wait, "w"));
        script
            .engine
            .start_timer(id, Timestamp::from_millis(8_000), Timestamp::from_millis(1));
    });
    let mut script = Script::with(records, false);
    script.now = 10;
    let id = script.register(site(Kind::Wait, "w"));
    assert_eq!(script.decide(id), Decision::Recorded(Outcome::Done));
}

#[test]
fn a_failed_attempt_runs_again_after_its_delay() {
    let mut script = Script::new();
    let id = script.register(step("s"));
    script.begin(id);
    script.retry(id, 500);
    script.commit();
    assert_eq!(
        script.decide(id),
        Decision::Until(Timestamp::from_millis(1_500))
    );
    script.now = 1_500;
    assert_eq!(script.decide(id), Decision::Run);
    assert_eq!(script.engine.next_attempt(id), 2);
    script.begin(id);
    script.succeed(id, "1");
    assert_eq!(script.commit()[0].attempt, 2);
}

#[test]
fn a_damaged_number_of_attempts_does_not_overflow() {
    let mut records = history(|script| {
        let id = script.register(step("s"));
        script.begin(id);
        script.retry(id, 500);
    });
    records[0].attempt = u32::MAX;
    let mut script = Script::with(records, false);
    let id = script.register(step("s"));
    assert_eq!(script.engine.next_attempt(id), u32::MAX);
}

#[test]
fn a_value_over_the_limit_fails_its_operation_and_names_the_size() {
    let mut script = Script::new();
    let id = script.register(step("big"));
    script.begin(id);
    script.succeed(id, &"x".repeat(101));
    script.commit();
    let Decision::Recorded(Outcome::Error(error)) = script.decide(id) else {
        panic!("no error");
    };
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("`big`"), "{error}");
    assert!(error.to_string().contains("101 bytes"), "{error}");
}

#[test]
fn a_scope_over_the_limit_is_rebuilt_from_its_children() {
    let records = history(|script| {
        let scope = script.register(site(Kind::Scope, "s"));
        script.engine.enter(scope, Timestamp::from_millis(1));
        script.succeed(scope, &"x".repeat(101));
    });
    assert_eq!(records[0].status, Status::Succeeded);
    assert_eq!(records[0].payload, None);
    let mut script = Script::with(records, false);
    let scope = script.register(site(Kind::Scope, "s"));
    assert_eq!(script.decide(scope), Decision::Run);
    let now = script.time();
    script.engine.enter(scope, now);
    script.succeed(scope, &"x".repeat(101));
    assert!(script.commit().is_empty(), "it is settled already");
    assert!(script.engine.is_durable(scope));
}

#[test]
fn code_does_not_see_a_child_that_was_cancelled_with_its_parent() {
    let child = site(Kind::Invoke, "child");
    let cancelled = || {
        let mut records = history(|script| {
            let op = script.register(child);
            script.decide(op);
            let now = script.time();
            let error = OperationError::new("child", ErrorKind::Cancelled, "cancelled");
            script.engine.fail(op, error, now);
            script.run(step("after"), "1");
        });
        records
            .iter_mut()
            .for_each(|record| record.order = record.seq);
        records
    };
    let cancel = Ack {
        cancel: true,
        ..Ack::default()
    };
    let mut only_the_child = Script::with(cancelled()[..1].to_vec(), false);
    let op = only_the_child.register(child);
    assert!(matches!(
        only_the_child.decide(op),
        Decision::Recorded(Outcome::Error(_))
    ));
    let mut both = Script::with(cancelled()[..1].to_vec(), false);
    both.engine.acknowledge(&cancel);
    let op = both.register(child);
    assert_eq!(both.decide(op), Decision::Stopped);
    // The code has seen the error in an earlier invocation and has gone on.
    let mut later = Script::with(cancelled(), false);
    later.engine.acknowledge(&cancel);
    let op = later.register(child);
    assert!(matches!(
        later.decide(op),
        Decision::Recorded(Outcome::Error(_))
    ));
}
