use super::*;
use crate::model::error::{ErrorKind, OperationError};
use crate::{Occurrence, Payload};

const NOW: Timestamp = Timestamp::from_millis(1000);
const ROOT: OperationId = OperationId::ROOT;

#[derive(Default)]
struct HistoryBuilder(Vec<Record>);

impl HistoryBuilder {
    fn add(
        &mut self,
        parent: OperationId,
        kind: Kind,
        name: &'static str,
        status: Status,
    ) -> OperationId {
        let seq = self.0.len() as u64 + 1;
        let id = OperationId::of(parent, name, &Occurrence::Once);
        let at = Timestamp::from_millis(10 * seq.cast_signed());
        let mut record = Record::started(seq, id, parent, kind, name, Occurrence::Once, at);
        record.status = status;
        match status {
            Status::Succeeded => record.payload = Some(Payload::json("1")),
            Status::Failed => record.error = Some(OperationError::new(name, ErrorKind::Failed, "")),
            _ => {}
        }
        if kind.is_external() {
            record.handle = Some(format!("a.{name}"));
        }
        self.0.push(record);
        id
    }

    fn step(&mut self, parent: OperationId, name: &'static str) -> OperationId {
        self.add(parent, Kind::Step, name, Status::Succeeded)
    }

    /// Returns the last position, and the names and states of what a fork takes over.
    fn taken(&self, point: &Point) -> (u64, Vec<(String, Status)>) {
        let part = part(&self.0, point, NOW).unwrap();
        let numbers: Vec<_> = part.records.iter().map(|record| record.seq).collect();
        let expected: Vec<_> = (1..=part.records.len() as u64).collect();
        assert_eq!(numbers, expected, "without gaps");
        let named = |record: &Record| (record.display_name(), record.status);
        (part.seq, part.records.iter().map(named).collect())
    }

    fn names(&self, point: &Point) -> Vec<String> {
        let (_, taken) = self.taken(point);
        taken.into_iter().map(|(name, _)| name).collect()
    }
}

fn before(path: &str) -> Point {
    Point::Before(path.to_owned())
}

fn after(path: &str) -> Point {
    Point::After(path.to_owned())
}

#[test]
fn what_started_before_an_operation_is_taken_over() {
    let mut history = HistoryBuilder::default();
    history.step(ROOT, "a");
    let scope = history.add(ROOT, Kind::Scope, "in", Status::Succeeded);
    history.step(scope, "b");
    history.step(scope, "c");
    history.add(ROOT, Kind::Step, "d", Status::Failed);
    assert_eq!(
        history.taken(&before("d")).1.last().unwrap().1,
        Status::Succeeded
    );
    let (seq, taken) = history.taken(&before("in/c"));
    let expected = [
        ("a", Status::Succeeded),
        ("in", Status::Started),
        ("b", Status::Succeeded),
    ];
    assert_eq!(seq, 3);
    assert_eq!(
        taken,
        expected.map(|(name, status)| (name.to_owned(), status))
    );
    assert_eq!(history.names(&Point::End).len(), 5);
    let unknown = part(&history.0, &before("c"), NOW).unwrap_err();
    assert!(
        matches!(&unknown, Refusal::NotFound(why) if why.contains("did you mean `in/c`?")),
        "{unknown:?}"
    );
}

#[test]
fn what_started_before_the_end_of_an_operation_is_taken_over() {
    let mut history = HistoryBuilder::default();
    let scope = history.add(ROOT, Kind::Scope, "in", Status::Succeeded);
    history.step(scope, "a");
    history.step(ROOT, "b");
    history.step(scope, "c");
    history.add(ROOT, Kind::Wait, "d", Status::Started);
    assert_eq!(
        history.taken(&after("in")),
        (4, history.taken(&before("d")).1)
    );
    assert_eq!(history.taken(&after("b")).0, 3);
    let refused = part(&history.0, &after("d"), NOW).unwrap_err();
    assert!(
        matches!(&refused, Refusal::Conflict(why) if why.contains("`d` has not ended")),
        "{refused:?}"
    );
}

#[test]
fn what_has_not_ended_is_left_out() {
    let mut history = HistoryBuilder::default();
    history.step(ROOT, "a");
    history.add(ROOT, Kind::Step, "retried", Status::Pending);
    history.add(ROOT, Kind::Wait, "timer", Status::Started);
    history.add(ROOT, Kind::Poll, "poll", Status::Pending);
    history.add(ROOT, Kind::Invoke, "child", Status::Started);
    history.add(ROOT, Kind::Step, "cancelled", Status::Cancelled);
    let scope = history.add(ROOT, Kind::Scope, "in", Status::Started);
    history.step(scope, "b");
    assert_eq!(history.names(&Point::End), ["a", "in", "b"]);
}

#[test]
fn a_callback_that_waits_is_refused() {
    let mut history = HistoryBuilder::default();
    history.add(ROOT, Kind::Callback, "approved", Status::Succeeded);
    let scope = history.add(ROOT, Kind::Scope, "in", Status::Started);
    history.add(scope, Kind::Callback, "waits", Status::Started);
    let refused = part(&history.0, &Point::End, NOW).unwrap_err();
    assert!(
        matches!(&refused, Refusal::Conflict(why) if why.contains("`in/waits` still waits")),
        "{refused:?}"
    );
    assert_eq!(history.names(&before("in/waits")), ["approved", "in"]);
}

#[test]
fn a_callback_that_waits_is_submitted_again() {
    let mut history = HistoryBuilder::default();
    let done = history.add(ROOT, Kind::WaitForCallback, "done", Status::Succeeded);
    history.add(done, Kind::Callback, "callback", Status::Succeeded);
    history.step(done, "submit");
    let waits = history.add(ROOT, Kind::WaitForCallback, "waits", Status::Started);
    history.add(waits, Kind::Callback, "callback", Status::Started);
    history.step(waits, "submit");
    let all = history.names(&Point::End);
    assert_eq!(all, ["done", "callback", "submit"]);
    // Half of it would wait for an id that nobody was given.
    assert!(history.names(&before("done/submit")).is_empty());
}

#[test]
fn undone_steps_are_left_out() {
    let mut history = HistoryBuilder::default();
    let scope = history.add(ROOT, Kind::Scope, "in", Status::Succeeded);
    let reserve = history.step(scope, "reserve");
    history.step(scope, "look");
    history.add(ROOT, Kind::Step, "pay", Status::Failed);
    history.add(reserve, Kind::Undo, "#undo", Status::Succeeded);
    let (_, taken) = history.taken(&before("pay"));
    let expected = [
        ("in".to_owned(), Status::Started),
        ("look".to_owned(), Status::Succeeded),
    ];
    assert_eq!(taken, expected);
}

#[test]
fn a_scope_with_something_beyond_the_end_is_entered_again() {
    let mut history = HistoryBuilder::default();
    let map = history.add(ROOT, Kind::Map, "files", Status::Succeeded);
    let x = history.add(map, Kind::Branch, "x", Status::Succeeded);
    let y = history.add(map, Kind::Branch, "y", Status::Succeeded);
    history.step(x, "parse");
    history.step(y, "parse");
    let (_, taken) = history.taken(&before("files/y/parse"));
    let states: Vec<_> = taken.iter().map(|(_, status)| *status).collect();
    let (started, succeeded) = (Status::Started, Status::Succeeded);
    assert_eq!(states, [started, succeeded, started, succeeded]);
    // Another operation ends the part, and `y` is still beyond it.
    let (_, taken) = history.taken(&before("files/x/parse"));
    assert!(taken.iter().all(|(_, status)| *status == started));
}

#[test]
fn what_lost_a_race_that_is_over_stays_lost() {
    let mut history = HistoryBuilder::default();
    let race = history.add(ROOT, Kind::Race, "first", Status::Succeeded);
    history.step(race, "a");
    history.add(race, Kind::Callback, "b", Status::Started);
    history.add(race, Kind::Invoke, "c", Status::Started);
    let (_, taken) = history.taken(&Point::End);
    let states: Vec<_> = taken.iter().map(|(_, status)| *status).collect();
    let (succeeded, lost) = (Status::Succeeded, Status::Cancelled);
    assert_eq!(states, [succeeded, succeeded, lost, lost]);
}

#[test]
fn invoked_executions_and_messages_stay_with_the_other_execution() {
    let mut history = HistoryBuilder::default();
    history.add(ROOT, Kind::Invoke, "a", Status::Succeeded);
    history.add(ROOT, Kind::Callback, "b", Status::Succeeded);
    history.add(ROOT, Kind::Receive, "c", Status::Succeeded);
    history.0[2].handle = Some("1".to_owned());
    let part = part(&history.0, &Point::End, NOW).unwrap();
    assert_eq!(part.records[0].handle, None);
    assert_eq!(part.records[2].received_message(), None);
    assert_eq!(part.records[1].handle.as_deref(), Some("a.b"));
}
