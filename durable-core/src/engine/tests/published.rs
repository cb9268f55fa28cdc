use super::*;
use crate::PublishedValue;

impl Script {
    fn publish(&mut self, scope: ScopeIndex, text: &str) {
        let now = self.time();
        let payload = payload(text);
        self.engine.publish(scope, "n", payload, false, now);
    }

    /// Enters the scope with this key.
    fn enter_each(&mut self, key: &str) -> (OpIndex, ScopeIndex) {
        let op = self.register_key(site(Kind::Scope, "each"), key);
        let now = self.time();
        self.engine.enter(op, now);
        (op, self.engine.open_scope(op))
    }
}

fn value(records: &[Record]) -> Option<String> {
    let value = records.iter().find_map(PublishedValue::of);
    value.map(|value| value.payload.as_text().unwrap_or_default().to_owned())
}

#[test]
fn only_calls_in_scopes_that_have_not_ended_are_counted() {
    let mut script = Script::new();
    script.publish(ScopeIndex::ROOT, "1");
    for key in ["a", "b", "c"] {
        let (op, scope) = script.enter_each(key);
        script.publish(scope, "2");
        script.succeed(op, "0");
        let now = script.time();
        script.engine.close(scope, now);
    }
    let (_, open) = script.enter_each("open");
    script.publish(open, "3");
    let written = script.commit();
    let record = written.iter().find(|one| one.published_name().is_some());
    let record = record.unwrap();
    assert_eq!(
        (record.attempt, value(&written).unwrap()),
        (5, "3".to_owned())
    );
    // Those of the handler and of the open scope.
    assert_eq!(record.handle.as_ref().unwrap().split(' ').count(), 2);
}

#[test]
fn a_replay_skips_the_calls_that_each_scope_has_made() {
    let records = history(|script| {
        script.publish(ScopeIndex::ROOT, "1");
        let (op, ended) = script.enter_each("ended");
        script.publish(ended, "2");
        script.succeed(op, "0");
        let now = script.time();
        script.engine.close(ended, now);
        let (_, left) = script.enter_each("left");
        let (_, right) = script.enter_each("right");
        script.publish(left, "3");
        script.publish(right, "4");
        script.run(step("last"), "0");
    });
    let mut script = Script::with(records, false);
    script.publish(ScopeIndex::ROOT, "1");
    script.register_key(site(Kind::Scope, "each"), "ended");
    let (_, left) = script.enter_each("left");
    let (_, right) = script.enter_each("right");
    script.publish(right, "4");
    script.publish(left, "3");
    assert_eq!(script.engine.oldest_unwritten(), None);
    assert_eq!(value(&script.commit()), None);
    script.publish(left, "5");
    assert_eq!(value(&script.commit()).unwrap(), "5");
    script.publish(ScopeIndex::ROOT, "6");
    assert_eq!(value(&script.commit()).unwrap(), "6");
}

#[test]
fn a_recorded_value_does_not_slow_the_replay_down() {
    let records = history(|script| {
        script.run(step("a"), "1");
        script.publish(ScopeIndex::ROOT, "1");
        script.run(step("b"), "2");
        script.run(step("c"), "3");
    });
    assert!(records[1].is_internal());
    let mut script = Script::with(records, false);
    for name in ["a", "b", "c"] {
        script.register(step(name));
    }
    // Each operation was the expected one, so none was looked up.
    assert!(script.engine.index.is_none());
}
