use std::collections::HashSet;

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
        let id = script.register(step(name));
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
fn swapped_operations_are_reported() {
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
    // `a` began first and was interrupted before its START was written.
    let records = history(|script| {
        script.register(step("a"));
        script.run(step("b"), "1");
    });
    let mut script = replay(records.clone(), &["a", "b"]);
    let mut records = records;
    records.extend(script.commit());
    assert_eq!(replay(records, &["a", "b"]).engine.drift(), []);
}

#[test]
fn a_removed_step_is_reported() {
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

fn named(kind: Kind, name: &'static str, sites: &[&'static str]) -> Site {
    let was = Vec::leak(sites.to_vec());
    Site::new(kind, name, "script.rs", 1).was(was)
}

fn leak(site: Site) -> &'static Site {
    Box::leak(Box::new(site))
}

impl Script {
    /// Enters a scope.
    fn enter(&mut self, inside: ScopeIndex, site: &'static Site, run: RunKey) -> ScopeIndex {
        let scope = self.engine.register(inside, site, run);
        self.engine.enter(scope, Timestamp::from_millis(1));
        self.engine.open_scope(scope)
    }

    /// Runs a step in `inside`, if it is to be run.
    fn step_in(&mut self, inside: ScopeIndex, site: &'static Site, run: RunKey) -> OpIndex {
        let op = self.engine.register(inside, site, run);
        if self.decide(op) == Decision::Run {
            self.begin(op);
            self.succeed(op, "1");
        }
        op
    }

    fn drift(&self) -> Vec<String> {
        let drift = self.engine.drift();
        drift.iter().map(ToString::to_string).collect()
    }
}

const TOP: ScopeIndex = ScopeIndex::ROOT;

#[test]
fn a_step_of_the_same_name_in_another_scope_is_suggested() {
    let records = history(|script| {
        script.run(step("charge"), "1");
        script.run(step("chargeback"), "1");
    });
    let mut script = Script::with(records, false);
    let pay = script.enter(TOP, site(Kind::Scope, "pay"), RunKey::FromSite);
    script.step_in(pay, step("charge"), RunKey::FromSite);
    script.step_in(TOP, step("chargebacks"), RunKey::FromSite);
    assert_eq!(
        script.drift(),
        [
            "`charge` is recorded, but the code did not reach it, while step `charge` (script.rs:1) ran live as \
             `pay/charge`; if it moved to `pay/charge`, write `was = \"/charge\"` there",
            "`chargeback` is recorded, but the code did not reach it, while step `chargebacks` (script.rs:1) ran live; if \
             that is its new name, write `was = \"chargeback\"` there",
        ]
    );
}

/// With the suggested option, the call site is answered from the record.
#[test]
fn the_suggested_path_finds_the_record() {
    let key = |key: &str| RunKey::Key(key.to_owned());
    let old = leak(named(Kind::Step, "load", &[]).keyed());
    let scope = leak(named(Kind::Scope, "dir", &[]).keyed());
    let records = history(|script| {
        for dir in ["a/b", "c]"] {
            let inside = script.enter(TOP, scope, key(dir));
            for file in ["x", "y"] {
                script.step_in(inside, old, key(file));
            }
        }
    });
    let run = |site: &'static Site| {
        let mut script = Script::with(records.clone(), false);
        let scope = leak(named(Kind::Scope, "dir", &[]).keyed());
        for dir in ["a/b", "c]"] {
            script.enter(TOP, scope, key(dir));
        }
        let all = script.enter(TOP, leak(named(Kind::Scope, "all", &[])), RunKey::FromSite);
        for dir in ["c]", "a/b"] {
            let item = leak(named(Kind::Scope, "item", &[]).keyed());
            let item = script.enter(all, item, key(dir));
            for file in ["y", "x"] {
                script.step_in(item, site, key(file));
            }
        }
        script
    };
    let script = run(leak(named(Kind::Step, "load", &[]).keyed()));
    let drift = script.engine.drift();
    let lines: HashSet<&str> = drift
        .iter()
        .map(|drift| match drift {
            Drift::Orphaned {
                successor: Some(successor),
                ..
            } => &*successor.was,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(lines, HashSet::from([r#"was = "/dir[*]/load[*]""#]));
}

#[test]
fn no_move_is_suggested_for_a_step_that_still_exists() {
    let keyed = leak(named(Kind::Step, "load", &[]).keyed());
    let records = history(|script| {
        for key in ["a", "b"] {
            script.step_in(TOP, keyed, RunKey::Key(key.into()));
        }
    });
    let mut script = Script::with(records, false);
    script.step_in(TOP, keyed, RunKey::Key("a".into()));
    // A new call site with the same name in another scope.
    let other = script.enter(TOP, site(Kind::Scope, "other"), RunKey::FromSite);
    script.step_in(
        other,
        leak(named(Kind::Step, "load", &[]).keyed()),
        RunKey::Key("b".into()),
    );
    assert_eq!(
        script.drift(),
        ["`load[b]` is recorded, but the code did not reach it"]
    );
}

#[test]
fn no_move_is_suggested_between_runs_of_a_scope() {
    let scope = leak(named(Kind::Scope, "file", &[]).keyed());
    let parse = step("parse");
    let records = history(|script| {
        let inside = script.enter(TOP, scope, RunKey::Key("a".into()));
        script.step_in(inside, parse, RunKey::FromSite);
    });
    let mut script = Script::with(records, false);
    script.enter(TOP, scope, RunKey::Key("a".into()));
    let inside = script.enter(TOP, scope, RunKey::Key("b".into()));
    script.step_in(inside, parse, RunKey::FromSite);
    assert_eq!(
        script.drift(),
        ["`file[a]/parse` is recorded, but the code did not reach it"]
    );
}

#[test]
fn a_move_into_a_loop_is_suggested() {
    let records = history(|script| {
        script.run(step("load"), "1");
    });
    let mut script = Script::with(records, false);
    let looped = leak(named(Kind::Step, "load", &[]).ordered());
    script.step_in(TOP, looped, RunKey::FromSite);
    let drift = script.drift();
    assert!(
        drift[0].contains("write `was = \"load\"` there"),
        "{drift:?}"
    );
}

#[test]
fn no_step_of_another_kind_and_name_is_suggested() {
    let records = history(|script| {
        script.run(step("charge"), "1");
        script.run(step("refund"), "1");
    });
    let mut script = Script::with(records, false);
    let pay = script.enter(TOP, site(Kind::Scope, "pay"), RunKey::FromSite);
    script
        .engine
        .register(pay, site(Kind::Record, "charge"), RunKey::FromSite);
    script.step_in(pay, step("ship"), RunKey::FromSite);
    assert_eq!(
        script.drift(),
        [
            "`charge` is recorded, but the code did not reach it",
            "`refund` is recorded, but the code did not reach it",
        ]
    );
}

/// The store of a service keeps display names, not keys.
#[test]
fn a_suggestion_parses_the_key_from_the_display_name() {
    let keyed = leak(named(Kind::Step, "load", &[]).keyed());
    let mut records = history(|script| {
        script.step_in(TOP, keyed, RunKey::Key("a".into()));
    });
    records[0].label = Some("load[a]".into());
    records[0].occurrence = crate::Occurrence::Once;
    let mut script = Script::with(records, false);
    let inside = script.enter(TOP, site(Kind::Scope, "all"), RunKey::FromSite);
    script.step_in(
        inside,
        leak(named(Kind::Step, "load", &[]).keyed()),
        RunKey::Key("a".into()),
    );
    let drift = script.drift();
    assert!(
        drift[0].contains(r#"write `was = "/load"` there"#),
        "{drift:?}"
    );
}

#[test]
fn children_of_a_finished_scope_are_not_reported() {
    let records = history(|script| {
        let scope = script.register(site(Kind::Scope, "s"));
        script.engine.enter(scope, Timestamp::from_millis(1));
        let inside = script.engine.open_scope(scope);
        let id = script.engine.register(inside, step("a"), RunKey::FromSite);
        script.begin(id);
        script.succeed(id, "1");
        script.succeed(scope, "2");
    });
    let mut script = Script::with(records, false);
    let scope = script.register(site(Kind::Scope, "s"));
    assert_eq!(script.decide(scope), value("2"));
    assert_eq!(script.engine.drift(), []);
}

#[test]
fn order_in_closures_and_async_blocks_is_not_compared() {
    let concurrent = |name| -> &'static Site {
        Box::leak(Box::new(
            Site::new(Kind::Step, name, "f", 1).keyed().concurrent(),
        ))
    };
    let records = history(|script| {
        for key in ["1", "2"] {
            let id = script.register_key(concurrent("s"), key);
            script.begin(id);
            script.succeed(id, "1");
        }
    });
    let mut script = Script::with(records, false);
    script.register_key(concurrent("s"), "2");
    script.register_key(concurrent("s"), "1");
    assert_eq!(script.engine.drift(), []);
}
