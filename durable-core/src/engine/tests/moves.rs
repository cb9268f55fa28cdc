//! Operations that moved to another scope.

use super::*;

fn leak(site: Site) -> &'static Site {
    Box::leak(Box::new(site))
}

fn was(name: &'static str, path: &'static str) -> &'static Site {
    let paths = Vec::leak(vec![path]);
    leak(Site::new(Kind::Step, name, "f", 1).was(paths))
}

/// Returns the history of a scope that has not ended, with these steps in it.
fn scope_of(names: &[&'static str]) -> Vec<Record> {
    history(|script| {
        let scope = script.register(site(Kind::Scope, "pay"));
        script.engine.enter(scope, Timestamp::from_millis(1));
        let inside = script.engine.open_scope(scope);
        for name in names {
            let op = script.engine.register(inside, step(name), RunKey::FromSite);
            script.begin(op);
            script.succeed(op, "1");
        }
    })
}

#[test]
fn operations_that_moved_out_do_not_keep_their_scope_replaying() {
    for scope_first in [false, true] {
        let mut script = Script::with(scope_of(&["charge", "print"]), false);
        let enter = |script: &mut Script| {
            let scope = script.register(site(Kind::Scope, "pay"));
            script.engine.open_scope(scope)
        };
        let early = scope_first.then(|| enter(&mut script));
        let moved = script.register(was("charge", "pay/charge"));
        assert_eq!(script.decide(moved), value("1"));
        let inside = early.unwrap_or_else(|| enter(&mut script));
        assert!(script.engine.is_replaying(inside));
        script
            .engine
            .register(inside, step("print"), RunKey::FromSite);
        assert!(!script.engine.is_replaying(inside));
        assert_eq!(script.engine.drift(), []);
    }
}

#[test]
fn a_move_is_not_a_change_of_order() {
    let records = history(|script| {
        for name in ["a", "charge", "b"] {
            script.run(step(name), "1");
        }
    });
    let mut script = Script::with(records, false);
    script.register(step("a"));
    script.register(step("b"));
    let pay = script.register(site(Kind::Scope, "pay"));
    script.engine.enter(pay, Timestamp::from_millis(1));
    let inside = script.engine.open_scope(pay);
    let first = script
        .engine
        .register(inside, step("new"), RunKey::FromSite);
    script.begin(first);
    let moved = script
        .engine
        .register(inside, was("charge", "/charge"), RunKey::FromSite);
    assert_eq!(script.decide(moved), value("1"));
    assert_eq!(script.engine.drift(), []);
}

/// An operation that has moved into a scope stays visible on a service when that scope ends.
#[test]
fn moved_operations_count_where_they_were_recorded() {
    let mut limits = Capabilities::unlimited(Durability::Power).with_max_value(100);
    (limits.service_driven, limits.keeps_children) = (true, false);
    limits.max_operations = Some(10);
    let records = history(|script| {
        for name in ["a", "b", "c"] {
            script.run(step(name), "1");
        }
    });
    let mut script = Script::limited(records, false, limits);
    let pay = script.register(site(Kind::Scope, "pay"));
    script.engine.enter(pay, Timestamp::from_millis(1));
    let inside = script.engine.open_scope(pay);
    for (name, path) in [("a", "../a"), ("b", "../b"), ("c", "../c")] {
        let op = script
            .engine
            .register(inside, was(name, path), RunKey::FromSite);
        assert_eq!(script.decide(op), value("1"));
    }
    script.succeed(pay, "2");
    let written = script.commit();
    assert!(
        !written.iter().any(Record::is_internal),
        "nothing is hidden: {written:?}"
    );
}

#[test]
fn a_path_without_a_record_has_no_effect() {
    for path in [
        "../charge",
        "../../charge",
        "/pay/charge",
        "/charge[*]",
        "charge[1]",
    ] {
        let records = history(|script| {
            script.run(step("charge"), "1");
        });
        let mut script = Script::with(records, false);
        let op = script.register(was("moved", path));
        assert_eq!(script.decide(op), Decision::Run, "{path}");
    }
}
