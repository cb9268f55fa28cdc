use super::*;
use crate::engine::Drift;

fn three() -> Vec<Record> {
    history(|script| {
        for name in ["a", "b", "c"] {
            script.run(step(name), "1");
        }
    })
}

fn replay(records: Vec<Record>, names: &[&'static str]) -> Script {
    let mut script = Script::with(records, false);
    for name in names {
        let id = script.claim(step(name));
        if script.decide(id) == Decision::Run {
            script.begin(id);
            script.succeed(id, "2");
        }
    }
    script
}

#[test]
fn the_same_order_is_no_drift() {
    assert_eq!(replay(three(), &["a", "b", "c"]).engine.drift(), []);
}

#[test]
fn swapped_operations_are_noticed() {
    let drift = replay(three(), &["b", "a", "c"]).engine.drift();
    assert_eq!(
        drift,
        [Drift::Moved {
            operation: "a".into()
        }]
    );
}

#[test]
fn an_insertion_is_no_drift_now_or_on_later_replays() {
    let mut script = replay(three(), &["a", "new", "b", "c"]);
    assert_eq!(script.engine.drift(), []);
    let mut records = three();
    records.extend(script.commit());
    let script = replay(records, &["a", "new", "b", "c"]);
    assert_eq!(script.engine.drift(), []);
    assert_eq!(script.engine.counts().replayed, 4);
}

#[test]
fn an_unwritten_sibling_does_not_look_moved_later() {
    // `a` began first and was cut off before anything of it was written.
    let records = history(|script| {
        script.claim(step("a"));
        script.run(step("b"), "1");
    });
    let mut script = replay(records.clone(), &["a", "b"]);
    let mut records = records;
    records.extend(script.commit());
    assert_eq!(replay(records, &["a", "b"]).engine.drift(), []);
}

#[test]
fn a_removed_step_is_reported_as_never_asked_for() {
    let drift = replay(three(), &["a", "c"]).engine.drift();
    assert_eq!(
        drift,
        [Drift::Orphaned {
            operation: "b".into(),
            successor: None
        }]
    );
}

#[test]
fn a_rename_without_was_is_reported_with_the_line_to_write() {
    let records = history(|script| {
        script.run(step("charge"), "1");
    });
    let drift = replay(records, &["charge_card"]).engine.drift();
    let text = drift[0].to_string();
    assert!(text.contains("step `charge_card` (script.rs:1)"), "{text}");
    assert!(text.contains("was = \"charge\""), "{text}");
}

#[test]
fn children_of_a_finished_scope_are_not_missed() {
    let records = history(|script| {
        let scope = script.claim(site(Kind::Scope, "s"));
        script.engine.enter(scope, Timestamp::from_millis(1));
        let inside = script.engine.open_scope(scope);
        let id = script.engine.claim(inside, step("a"), Turn::OfSite);
        script.begin(id);
        script.succeed(id, "1");
        script.succeed(scope, "2");
    });
    let mut script = Script::with(records, false);
    let scope = script.claim(site(Kind::Scope, "s"));
    assert_eq!(script.decide(scope), value("2"));
    assert_eq!(script.engine.drift(), []);
}

#[test]
fn order_in_closures_and_async_blocks_is_the_schedulers() {
    let concurrent = |name| -> &'static Site {
        Box::leak(Box::new(
            Site::new(Kind::Step, name, "f", 1).keyed().concurrent(),
        ))
    };
    let records = history(|script| {
        for key in ["1", "2"] {
            let id = script.claim_key(concurrent("s"), key);
            script.begin(id);
            script.succeed(id, "1");
        }
    });
    let mut script = Script::with(records, false);
    script.claim_key(concurrent("s"), "2");
    script.claim_key(concurrent("s"), "1");
    assert_eq!(script.engine.drift(), []);
}
