use std::time::Duration;

use durable_core::store::{Execution, NewExecution};
use durable_core::{Kind, Occurrence, OperationId, Payload, Record};
use rusqlite::StatementStatus;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::grants::{INSERT_LEASES, MARK_RUNNING};
use crate::owner::Owner;
use crate::reads::{SELECT_BY_KEYS, SELECT_SHORT};
use crate::rows::put;
use crate::schema::{MIGRATIONS, migrate};
use crate::writes::insert;

const HOUR: Duration = Duration::from_secs(3600);

fn now() -> Timestamp {
    Timestamp::from_millis(5000)
}

struct Opened {
    conn: Connection,
    session: Session,
    _directory: TempDir,
}

impl Opened {
    fn new() -> Self {
        let directory = tempdir().unwrap();
        let path = directory.path().join("a.db");
        let conn = Connection::open_in_memory().unwrap();
        migrate(&conn, &path, MIGRATIONS).unwrap();
        let owner = Owner::register(&path).unwrap();
        Self {
            conn,
            session: Session::new(path, owner),
            _directory: directory,
        }
    }

    /// Adds a suspended execution that is due.
    fn add(&self, id: &str, records: impl IntoIterator<Item = Record>) {
        let new = NewExecution::new(id.parse().unwrap(), "etl", Payload::json("1"), now());
        insert(&self.conn, &self.session, &Execution::queued(new)).unwrap();
        let key = self.conn.last_insert_rowid();
        let suspend = "UPDATE executions SET status = 'suspended' WHERE key = ?1";
        self.conn.execute(suspend, [key]).unwrap();
        for record in records {
            put(&self.conn, key, &record).unwrap();
        }
    }

    /// Claims all executions. Returns their ids and the lengths of the histories that were read with them.
    fn claim(&self) -> Vec<(String, Option<usize>)> {
        let claim = ClaimMany {
            worker: WorkerFilter {
                handlers: vec![HandlerBuild {
                    name: "etl".to_owned(),
                    build: "1".to_owned(),
                }],
                queues: None,
            },
            request: ClaimRequest {
                limit: 64,
                now: now(),
                ttl: HOUR,
                recover: true,
            },
        };
        let batch = claim.run(&self.conn, &self.session).unwrap();
        let ids = batch.claimed.leases.iter();
        let ids = ids.map(|lease| lease.execution.id.to_string());
        let lengths = batch.histories.iter();
        let lengths = lengths.map(|history| history.as_ref().map(Vec::len));
        ids.zip(lengths).collect()
    }

    fn times_run(&self, sql: &str) -> i32 {
        let statement = self.conn.prepare_cached(sql).unwrap();
        statement.get_status(StatementStatus::Run)
    }
}

fn record(seq: u64, bytes: usize) -> Record {
    let occurrence = Occurrence::Ordered(seq);
    let root = OperationId::ROOT;
    let id = OperationId::of(root, "load", &occurrence);
    let mut record = Record::started(seq, id, root, Kind::Step, "load", occurrence, now());
    record.payload = Some(Payload::json(vec![b'1'; bytes]));
    record
}

#[test]
fn many_executions_are_claimed_with_a_few_statements() {
    let opened = Opened::new();
    for number in 0..64 {
        opened.add(&format!("run-{number:02}"), [record(1, 9)]);
    }
    let claimed = opened.claim();
    assert_eq!(claimed.len(), 64);
    assert!(claimed.iter().all(|(_, records)| *records == Some(1)));
    for sql in [SELECT_BY_KEYS, SELECT_SHORT, MARK_RUNNING, INSERT_LEASES] {
        assert_eq!(opened.times_run(sql), 1, "{sql}");
    }
    let leases = "SELECT count(*) FROM leases JOIN executions ON key = execution AND executions.fence = leases.fence \
                  WHERE status = 'running' AND build = '1'";
    let leases: i64 = opened.conn.query_row(leases, [], |row| row.get(0)).unwrap();
    assert_eq!(leases, 64);
}

#[test]
fn long_and_damaged_histories_are_not_read_with_the_claim() {
    let opened = Opened::new();
    opened.add("a-short", (1..=32).map(|seq| record(seq, 512)));
    opened.add("b-many", (1..=33).map(|seq| record(seq, 1)));
    opened.add("c-large", [record(1, 16 * 1024), record(2, 1)]);
    opened.add("d-gap", [record(1, 1), record(3, 1)]);
    opened.add("e-damaged", [record(1, 1), record(2, 1)]);
    opened.add("f-short", [record(1, 16 * 1024)]);
    opened.add("g-empty", []);
    let damage = "UPDATE operations SET name = 'other' WHERE place = (SELECT key FROM executions WHERE id = \
                  'e-damaged') << 32 | 1";
    assert_eq!(opened.conn.execute(damage, []).unwrap(), 1);
    let read = |(id, records): (String, Option<usize>)| records.map(|records| (id, records));
    let read: Vec<_> = opened.claim().into_iter().filter_map(read).collect();
    assert_eq!(
        read,
        [("a-short".to_owned(), 32), ("f-short".to_owned(), 1)]
    );
}

#[test]
fn a_lease_of_another_living_owner_is_taken_over_only_after_it_stays_expired() {
    let opened = Opened::new();
    opened.add("a", []);
    let other = Owner::register(&opened.session.path).unwrap();
    let insert = "UPDATE executions SET status = 'running', due = NULL; INSERT INTO leases (execution, fence, owner, \
                  expires_at) SELECT key, fence, '{owner}', {expires_at} FROM executions";
    let insert = |expires_at: i64| {
        let insert = insert.replace("{owner}", other.token());
        let insert = insert.replace("{expires_at}", &expires_at.to_string());
        opened.conn.execute_batch("DELETE FROM leases").unwrap();
        opened.conn.execute_batch(&insert).unwrap();
    };
    insert(now().as_millis() + 1);
    assert_eq!(opened.claim(), []);
    insert(now().as_millis());
    assert_eq!(opened.claim(), [], "its owner may renew it");
    drop(other);
    assert_eq!(opened.claim().len(), 1, "its owner is dead");
}
