//! Stores of a service, which ends timers and begins invocations.

use super::*;

fn limits() -> Capabilities {
    let mut limits = Capabilities::unlimited(Durability::Power);
    limits.service_driven = true;
    limits
}

fn script(history: Vec<Record>) -> Script {
    Script::limited(history, false, limits())
}

/// Acknowledgement in which the service reports an operation.
fn reported(record: &Record, status: Status, due_at: Option<i64>) -> Ack {
    let mut record = record.clone();
    record.status = status;
    record.due_at = due_at.map(Timestamp::from_millis);
    record.handle = Some("assigned".to_owned());
    Ack {
        changed_records: vec![record],
        ..Ack::default()
    }
}

#[test]
fn a_timer_ends_when_the_service_says_so_and_not_by_the_clock() {
    let mut script = script(Vec::new());
    let op = script.register(site(Kind::Wait, "w"));
    let (due, now) = (Timestamp::from_millis(1_500), script.time());
    script.engine.start_timer(op, due, now);
    let started = script.commit().remove(0);
    script.now = 9_000;
    assert_eq!(script.decide(op), Decision::External(Some(due)));
    script.engine.refresh_batch();
    let woken = script
        .engine
        .acknowledge(&reported(&started, Status::Succeeded, None));
    assert_eq!(woken, [op]);
    assert_eq!(script.decide(op), Decision::Recorded(Outcome::Done));
}

#[test]
fn an_attempt_is_repeated_when_the_service_says_so_and_not_by_the_clock() {
    let mut script = script(Vec::new());
    let op = script.register(step("s"));
    script.begin(op);
    script.retry(op, 500);
    let pending = script.commit().remove(0);
    script.now = 9_000;
    let due = Some(Timestamp::from_millis(1_500));
    assert_eq!(script.decide(op), Decision::External(due));
    script.engine.refresh_batch();
    script
        .engine
        .acknowledge(&reported(&pending, Status::Pending, None));
    assert_eq!(script.decide(op), Decision::Run);
    assert_eq!(script.engine.next_attempt(op), 2);
}

#[test]
fn a_callback_times_out_when_the_service_says_so_and_has_the_id_of_the_service() {
    let mut script = script(Vec::new());
    let op = script.register(site(Kind::Callback, "c"));
    let limits = crate::engine::CallbackTimeouts {
        timeout: Some(Duration::from_secs(1)),
        heartbeat: None,
    };
    let now = script.time();
    script
        .engine
        .start_external(op, "ours".to_owned(), limits, now);
    let started = script.commit().remove(0);
    assert_eq!(started.handle, None, "the service assigns the id");
    script.now = 90_000;
    assert!(matches!(script.decide(op), Decision::External(Some(_))));
    script.engine.refresh_batch();
    script
        .engine
        .acknowledge(&reported(&started, Status::Started, Some(2_000)));
    assert_eq!(script.engine.handle(op).as_deref(), Some("assigned"));
}

#[test]
fn records_are_recognised_by_their_ids_alone() {
    let mut records = history(|script| {
        script.run(step("a"), "1");
        script.run(step("b"), "2");
    });
    // Display names may equal the name of another call site.
    records[0].name = "b".into();
    records[1].name = "elsewhere".into();
    let mut script = script(records);
    let b = script.register(step("b"));
    let a = script.register(step("a"));
    assert_eq!(script.decide(a), value("1"));
    assert_eq!(script.decide(b), value("2"));
    assert_eq!(script.engine.drift(), [], "the service decides the order");
}

#[test]
fn a_sliced_invocation_starts_one_timer_that_no_call_site_can_register() {
    let mut first = script(Vec::new());
    let now = first.time();
    first.engine.start_slice_timer(now);
    first.engine.start_slice_timer(now);
    let left = first.commit();
    assert_eq!(left.len(), 1);
    assert!(left[0].is_internal() && left[0].kind == Kind::Wait);
    assert_eq!(left[0].due_at, Some(now.after(Duration::from_secs(1))));

    first
        .engine
        .acknowledge(&reported(&left[0], Status::Succeeded, None));
    assert!(!first.engine.has_slice_timer());
    first.engine.start_slice_timer(now);
    let longer = first.commit();
    assert_eq!(longer[0].due_at, Some(now.after(Duration::from_secs(2))));

    let mut second = script(left.clone());
    assert!(!second.engine.is_replaying(ScopeIndex::ROOT));
    second.engine.start_slice_timer(now);
    let again = second.commit();
    assert_ne!(again[0].id, left[0].id, "each slice has its own timer");
    assert_eq!(second.engine.drift(), []);
}

#[test]
fn times_of_the_service_do_not_advance_the_local_clock() {
    let mut records = history(|script| {
        script.run(step("a"), "1");
    });
    records[0].started_at = Timestamp::from_millis(900_000);
    records[0].ended_at = Some(Timestamp::from_millis(900_001));
    let mut script = script(records);
    let op = script.register(step("b"));
    script.begin(op);
    script.retry(op, 500);
    assert_eq!(
        script.commit()[0].due_at,
        Some(Timestamp::from_millis(1_500))
    );
}

/// Script over a step that was interrupted long enough ago to count.
fn interrupted_before(mut notes: Vec<Record>) -> Script {
    let mut records = interrupted("s", 1);
    records.append(&mut notes);
    for (at, record) in (1..).zip(&mut records) {
        record.seq = at;
    }
    Script::limited(records, true, limits())
}

#[test]
fn an_interruption_is_recorded_before_the_body_runs_again() {
    let mut notes = Vec::new();
    for _ in 1..=2 {
        let mut script = interrupted_before(notes.clone());
        let op = script.register(step("s"));
        assert_eq!(script.decide(op), Decision::Run);
        assert_eq!(script.begin(op), Begin::WhenDurable);
        let mut written = script.commit();
        written.retain(Record::is_internal);
        assert_eq!(written.len(), 1);
        assert_eq!(written[0].status, Status::Succeeded);
        assert_eq!(script.engine.drift(), [], "no call site registers them");
        notes.append(&mut written);
    }
    assert_ne!(notes[0].id, notes[1].id);
    let mut script = interrupted_before(notes);
    let op = script.register(step("s"));
    assert_eq!(script.begin(op), Begin::Interrupted(3));
    assert_eq!(script.commit(), []);
}

#[test]
fn an_interruption_of_a_recent_body_is_not_counted() {
    let mut script = Script::limited(interrupted("s", 0), true, limits());
    let op = script.register(step("s"));
    assert_eq!(script.begin(op), Begin::WhenDurable);
    assert!(!script.commit().iter().any(Record::is_internal));
}

#[test]
fn a_batch_is_halved_for_each_interruption() {
    let (mut notes, mut ends) = (Vec::new(), Vec::new());
    for _ in 1..=3 {
        let mut script = interrupted_before(notes.clone());
        script.engine.operations[0].record.extent = Some(410);
        let op = script.register(step("s"));
        ends.push(script.engine.batch_end(op, 10, 0));
        script.begin(op);
        let written = script.commit().into_iter();
        notes.extend(written.filter(Record::is_internal));
    }
    assert_eq!(ends, [210, 110, 60]);
}
