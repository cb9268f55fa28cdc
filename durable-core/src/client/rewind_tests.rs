use super::*;
use crate::model::error::{ErrorKind, OperationError};
use crate::{Occurrence, Payload};

const NOW: Timestamp = Timestamp::from_millis(1000);

#[derive(Default)]
struct Made(Vec<Record>);

impl Made {
    fn add(
        &mut self,
        parent: OperationId,
        kind: Kind,
        name: &'static str,
        ok: bool,
    ) -> OperationId {
        let seq = self.0.len() as u64 + 1;
        let id = OperationId::of(parent, name, &Occurrence::Once);
        let at = Timestamp::from_millis(10 * seq.cast_signed());
        let mut record = Record::started(seq, id, parent, kind, name, Occurrence::Once, at);
        (record.attempt, record.ended_at) = (3, Some(at));
        if ok {
            (record.status, record.payload) = (Status::Succeeded, Some(Payload::json("1")));
        } else {
            record.status = Status::Failed;
            record.error = Some(OperationError::new(name, ErrorKind::Failed, "no"));
        }
        self.0.push(record);
        id
    }
}

fn again(records: &[Record], from: RetryFrom) -> (Option<u64>, Vec<(u64, Status)>) {
    let plan = plan(records, &from, NOW).unwrap();
    let records = plan.rewind.records.iter();
    (
        plan.rewind.remove_from,
        records.map(|record| (record.seq, record.status)).collect(),
    )
}

#[test]
fn the_failed_step_and_what_it_stands_in_are_done_again() {
    let (mut made, root) = (Made::default(), OperationId::ROOT);
    made.add(root, Kind::Step, "handled", false);
    made.add(root, Kind::Step, "a", true);
    let scope = made.add(root, Kind::Scope, "in", false);
    made.add(scope, Kind::Step, "b", true);
    made.add(scope, Kind::Step, "c", false);
    let (remove, put) = again(&made.0, RetryFrom::Failure);
    assert_eq!(remove, None);
    assert_eq!(put, [(3, Status::Started), (5, Status::Pending)]);
    let plan = plan(&made.0, &RetryFrom::Failure, NOW).unwrap();
    let step = &plan.rewind.records[1];
    assert_eq!(
        (step.attempt, step.due_at, step.ended_at),
        (0, Some(NOW), None)
    );
}

#[test]
fn a_scope_that_failed_of_a_step_that_moved_into_it_is_done_again() {
    let (mut made, root) = (Made::default(), OperationId::ROOT);
    made.add(root, Kind::Step, "handled", false);
    let before = made.add(root, Kind::Scope, "before", false);
    made.add(before, Kind::Step, "a", true);
    made.add(root, Kind::Step, "charge", false);
    made.add(root, Kind::Scope, "pay", false);
    let (_, put) = again(&made.0, RetryFrom::Failure);
    assert_eq!(put, [(4, Status::Pending), (5, Status::Started)]);
}

#[test]
fn branches_that_failed_beside_it_are_done_again() {
    let (mut made, root) = (Made::default(), OperationId::ROOT);
    let map = made.add(root, Kind::Map, "files", true);
    let mut branch = |name, ok| {
        let branch = made.add(map, Kind::Branch, name, ok);
        made.add(branch, Kind::Step, "parse", ok);
    };
    branch("x", false);
    branch("y", true);
    branch("z", false);
    let (_, put) = again(&made.0, RetryFrom::Failure);
    let seqs: Vec<_> = put.into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(seqs, [1, 2, 3, 6, 7]);
}

#[test]
fn what_was_taken_back_is_done_again() {
    let (mut made, root) = (Made::default(), OperationId::ROOT);
    let reserve = made.add(root, Kind::Step, "reserve", true);
    made.add(root, Kind::Step, "look", true);
    made.add(root, Kind::Step, "pay", false);
    made.add(reserve, Kind::Undo, "undo", true);
    let (_, put) = again(&made.0, RetryFrom::Failure);
    let pending = Status::Pending;
    assert_eq!(put, [(1, pending), (3, pending), (4, pending)]);
}

#[test]
fn from_a_named_operation_everything_after_it_goes() {
    let (mut made, root) = (Made::default(), OperationId::ROOT);
    made.add(root, Kind::Step, "a", true);
    let scope = made.add(root, Kind::Scope, "in", true);
    made.add(scope, Kind::Step, "b", true);
    made.add(root, Kind::Step, "c", false);
    let found = again(&made.0, RetryFrom::Operation("in/b".to_owned()));
    assert_eq!(found, (Some(3), vec![(2, Status::Started)]));
    assert_eq!(again(&made.0, RetryFrom::Beginning), (Some(1), vec![]));
    let why = plan(&made.0, &RetryFrom::Operation("b".to_owned()), NOW).unwrap_err();
    assert!(why.contains("did you mean `in/b`?"), "{why}");
}

#[test]
fn executions_that_were_invoked_go_with_it() {
    let (mut made, root) = (Made::default(), OperationId::ROOT);
    made.add(root, Kind::Step, "a", true);
    made.add(root, Kind::Invoke, "child", false);
    made.0[1].handle = Some("x.1".to_owned());
    let child: Vec<ExecutionId> = vec!["x.1".parse().unwrap()];
    assert_eq!(
        plan(&made.0, &RetryFrom::Failure, NOW).unwrap().again,
        child
    );
    assert_eq!(
        plan(&made.0, &RetryFrom::Beginning, NOW).unwrap().forget,
        child
    );
}
