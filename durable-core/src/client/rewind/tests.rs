use super::*;
use crate::model::error::{ErrorKind, OperationError};
use crate::{Occurrence, Payload};

const NOW: Timestamp = Timestamp::from_millis(1000);

#[derive(Default)]
struct HistoryBuilder(Vec<Record>);

impl HistoryBuilder {
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
fn the_failed_step_and_its_scopes_run_again() {
    let (mut history, root) = (HistoryBuilder::default(), OperationId::ROOT);
    history.add(root, Kind::Step, "handled", false);
    history.add(root, Kind::Step, "a", true);
    let scope = history.add(root, Kind::Scope, "in", false);
    history.add(scope, Kind::Step, "b", true);
    history.add(scope, Kind::Step, "c", false);
    let (remove, put) = again(&history.0, RetryFrom::Failure);
    assert_eq!(remove, None);
    assert_eq!(put, [(3, Status::Started), (5, Status::Pending)]);
    let plan = plan(&history.0, &RetryFrom::Failure, NOW).unwrap();
    let step = &plan.rewind.records[1];
    assert_eq!(
        (step.attempt, step.due_at, step.ended_at),
        (0, Some(NOW), None)
    );
}

#[test]
fn a_scope_that_failed_because_of_a_moved_step_runs_again() {
    let (mut history, root) = (HistoryBuilder::default(), OperationId::ROOT);
    history.add(root, Kind::Step, "handled", false);
    let before = history.add(root, Kind::Scope, "before", false);
    history.add(before, Kind::Step, "a", true);
    history.add(root, Kind::Step, "charge", false);
    history.add(root, Kind::Scope, "pay", false);
    let (_, put) = again(&history.0, RetryFrom::Failure);
    assert_eq!(put, [(4, Status::Pending), (5, Status::Started)]);
}

#[test]
fn failed_branches_of_the_same_map_run_again() {
    let (mut history, root) = (HistoryBuilder::default(), OperationId::ROOT);
    let map = history.add(root, Kind::Map, "files", true);
    let mut branch = |name, ok| {
        let branch = history.add(map, Kind::Branch, name, ok);
        history.add(branch, Kind::Step, "parse", ok);
    };
    branch("x", false);
    branch("y", true);
    branch("z", false);
    let (_, put) = again(&history.0, RetryFrom::Failure);
    let seqs: Vec<_> = put.into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(seqs, [1, 2, 3, 6, 7]);
}

#[test]
fn undone_steps_run_again() {
    let (mut history, root) = (HistoryBuilder::default(), OperationId::ROOT);
    let reserve = history.add(root, Kind::Step, "reserve", true);
    history.add(root, Kind::Step, "look", true);
    history.add(root, Kind::Step, "pay", false);
    history.add(reserve, Kind::Undo, "undo", true);
    let (_, put) = again(&history.0, RetryFrom::Failure);
    let pending = Status::Pending;
    assert_eq!(put, [(1, pending), (3, pending), (4, pending)]);
}

#[test]
fn everything_after_a_named_operation_is_removed() {
    let (mut history, root) = (HistoryBuilder::default(), OperationId::ROOT);
    history.add(root, Kind::Step, "a", true);
    let scope = history.add(root, Kind::Scope, "in", true);
    history.add(scope, Kind::Step, "b", true);
    history.add(root, Kind::Step, "c", false);
    let found = again(&history.0, RetryFrom::Operation("in/b".to_owned()));
    assert_eq!(found, (Some(3), vec![(2, Status::Started)]));
    assert_eq!(again(&history.0, RetryFrom::Beginning), (Some(1), vec![]));
    let why = plan(&history.0, &RetryFrom::Operation("b".to_owned()), NOW).unwrap_err();
    assert!(why.contains("did you mean `in/b`?"), "{why}");
}

#[test]
fn steps_in_a_transaction_that_run_again_get_another_tag() {
    let (mut history, root) = (HistoryBuilder::default(), OperationId::ROOT);
    history.add(root, Kind::Step, "a", true);
    let reserve = history.add(root, Kind::Step, "reserve", true);
    history.add(root, Kind::Step, "pay", false);
    history.add(reserve, Kind::Undo, "undo", true);
    for index in [1, 2] {
        history.0[index].handle = Some(TRANSACTION.to_owned());
    }
    let mut tags = HashSet::new();
    for _ in 0..2 {
        let plan = plan(&history.0, &RetryFrom::Failure, NOW).unwrap();
        for record in &plan.rewind.records[..2] {
            let tag = record.handle.as_deref().unwrap();
            assert!(tag.starts_with("transaction/"), "{tag}");
            tags.insert(tag.to_owned());
        }
    }
    assert_eq!(tags.len(), 4);
}

#[test]
fn a_mark_takes_the_place_of_removed_records() {
    let (mut history, root) = (HistoryBuilder::default(), OperationId::ROOT);
    history.add(root, Kind::Step, "a", true);
    history.add(root, Kind::Step, "b", false);
    history.0[0].handle = Some(TRANSACTION.to_owned());
    let mut ids = HashSet::new();
    for (from, seq) in [
        (RetryFrom::Operation("b".to_owned()), 2),
        (RetryFrom::Beginning, 1),
        (RetryFrom::Beginning, 1),
    ] {
        let plan = plan(&history.0, &from, NOW).unwrap();
        let [mark] = &plan.rewind.records[..] else {
            panic!("{:?}", plan.rewind.records);
        };
        assert_eq!((mark.seq, plan.rewind.remove_from), (seq, Some(seq)));
        assert!(mark.is_internal());
        ids.insert(mark.id);
    }
    assert_eq!(ids.len(), 3);
}

#[test]
fn children_are_retried_or_deleted_with_their_parent() {
    let (mut history, root) = (HistoryBuilder::default(), OperationId::ROOT);
    history.add(root, Kind::Step, "a", true);
    history.add(root, Kind::Invoke, "child", false);
    history.0[1].handle = Some("x.1".to_owned());
    let child: Vec<ExecutionId> = vec!["x.1".parse().unwrap()];
    assert_eq!(
        plan(&history.0, &RetryFrom::Failure, NOW)
            .unwrap()
            .retry_children,
        child
    );
    assert_eq!(
        plan(&history.0, &RetryFrom::Beginning, NOW)
            .unwrap()
            .delete_children,
        child
    );
}
