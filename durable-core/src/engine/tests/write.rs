use super::*;
use crate::store::ExecutionUpdate;

#[test]
fn the_start_of_a_step_is_written_with_its_outcome() {
    let mut script = Script::new();
    let id = script.register(step("s"));
    assert_eq!(script.begin(id), Begin::Now);
    assert!(!script.engine.has_urgent());
    script.succeed(id, "1");
    assert!(script.engine.has_urgent());
    let written = script.commit();
    assert_eq!(written.len(), 1);
    assert_eq!(written[0].status, Status::Succeeded);
    assert!(!script.engine.has_urgent());
}

#[test]
fn a_start_is_written_with_the_outcome_of_a_sibling() {
    let mut script = Script::new();
    let slow = script.register(step("slow"));
    script.begin(slow);
    script.run(step("quick"), "1");
    let written: Vec<_> = script
        .commit()
        .iter()
        .map(|r| (r.name.clone(), r.status))
        .collect();
    assert_eq!(
        written,
        [
            ("slow".into(), Status::Started),
            ("quick".into(), Status::Succeeded)
        ]
    );
    assert_eq!(script.engine.oldest_unwritten(), None);
}

#[test]
fn the_start_of_a_long_body_is_written_alone() {
    let mut script = Script::new();
    let id = script.register(step("s"));
    script.begin(id);
    assert_eq!(script.engine.oldest_unwritten(), Some(script.time()));
    script.engine.flush();
    assert!(script.engine.has_urgent());
    assert_eq!(script.commit()[0].status, Status::Started);
}

#[test]
fn at_most_once_writes_its_start_first() {
    let mut script = Script::new();
    let id = script.register(step("s"));
    let now = script.time();
    assert_eq!(script.engine.begin(id, ONCE, now), Begin::WhenDurable);
    assert!(script.engine.has_urgent());
    assert!(!script.engine.is_durable(id));
    script.commit();
    assert!(script.engine.is_durable(id));
}

#[test]
fn an_acknowledged_start_does_not_make_a_later_outcome_durable() {
    let mut script = Script::new();
    let id = script.register(step("s"));
    script.begin(id);
    script.engine.take_batch(None).unwrap();
    script.succeed(id, "1");
    script.engine.acknowledge(&Ack::default());
    assert_eq!(script.decide(id), Decision::NotDurable);
    script.commit();
    assert_eq!(script.decide(id), value("1"));
}

#[test]
fn concurrent_steps_share_a_batch() {
    let mut script = Script::new();
    let ids: Vec<_> = ["a", "b", "c"]
        .map(|name| script.register(step(name)))
        .into();
    for id in &ids {
        script.begin(*id);
    }
    for id in &ids {
        script.succeed(*id, "1");
    }
    assert_eq!(script.commit().len(), 3);
    assert_eq!(script.engine.counts().batches, 1);
}

#[test]
fn the_end_of_a_timer_is_written_with_the_next_change() {
    let mut script = Script::new();
    let id = script.register(site(Kind::Wait, "w"));
    let now = script.time();
    script.engine.start_timer(id, now, now);
    assert_eq!(script.decide(id), Decision::Recorded(Outcome::Done));
    assert!(!script.engine.has_urgent());
    script.run(step("next"), "1");
    assert_eq!(script.commit().len(), 2);
}

#[test]
fn a_batch_over_the_limit_is_split_and_the_last_part_carries_the_execution() {
    let mut script = Script::new();
    script.engine.limits.max_batch = 25;
    for name in ["a", "b", "c"] {
        script.run(step(name), &"x".repeat(10));
    }
    let update = || {
        Some(ExecutionUpdate::Succeed {
            output: payload("1"),
        })
    };
    let first = script.engine.take_batch(update()).unwrap();
    assert_eq!((first.records.len(), first.execution.is_some()), (2, false));
    assert!(script.engine.has_urgent());
    let second = script.engine.take_batch(update()).unwrap();
    assert_eq!(
        (second.records.len(), second.execution.is_some()),
        (1, true)
    );
    assert_ne!(first.id, second.id);
    assert!(script.engine.take_batch(None).is_none());
}

#[test]
fn numbers_of_records_have_no_gaps_and_scopes_come_first() {
    let records = history(|script| {
        let scope = script.register(site(Kind::Scope, "s"));
        script.engine.enter(scope, Timestamp::from_millis(1));
        let inside = script.engine.open_scope(scope);
        let id = script.engine.register(inside, step("a"), RunKey::FromSite);
        script.begin(id);
        script.succeed(id, "1");
    });
    let names: Vec<_> = records.iter().map(|r| (r.seq, &*r.name)).collect();
    assert_eq!(names, [(1, "s"), (2, "a")]);
}
