use durable_core::Timestamp;
use durable_core::store::{ClaimRequest, WorkerFilter};

use super::*;
use crate::SqliteStore;
use crate::claims::ClaimMany;
use crate::error::Fault;
use crate::open;
use crate::session::Token;
use crate::writes::Renew;

/// Reads how SQLite syncs the commit of this write.
struct Level {
    sync: bool,
}

impl Write for Level {
    type Answer = i64;

    fn run(&self, conn: &Connection, _: &Session) -> Result<i64, Fault> {
        Ok(conn.query_row("PRAGMA synchronous", [], |row| row.get(0))?)
    }

    fn must_sync(&self) -> bool {
        self.sync
    }
}

/// Writes slowly.
struct Slow {
    sync: bool,
}

impl Write for Slow {
    type Answer = ();

    fn run(&self, conn: &Connection, _: &Session) -> Result<(), Fault> {
        std::thread::sleep(MAX_INLINE_COMMIT * 20);
        conn.execute("INSERT INTO changes VALUES (1, 1, 1)", [])?;
        conn.execute("DELETE FROM changes", [])?;
        Ok(())
    }

    fn must_sync(&self) -> bool {
        self.sync
    }
}

const NORMAL: i64 = 1;
const FULL: i64 = 2;

fn writer() -> (Arc<Writer>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let opened = open::open(&directory.path().join("a.db")).unwrap();
    let session = Session::new(opened.path, opened.owner);
    (
        Writer::new(opened.conn, session, MAX_INLINE_COMMIT),
        directory,
    )
}

#[tokio::test]
async fn synced_commits_that_are_slow_move_to_the_writer_thread() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("a.db"));
    let store = store.await.unwrap();
    let is_inline = |sync| store.inner.writer.inline(Slow { sync }).is_ok();
    assert!(is_inline(false));
    assert!(is_inline(true), "only a synced commit counts");
    assert!(!is_inline(true));
    assert!(!is_inline(false));
}

#[tokio::test]
async fn only_a_commit_without_a_write_that_must_survive_power_loss_is_not_synced() {
    let (writer, _directory) = writer();
    for (sync, expected) in [(true, FULL), (false, NORMAL), (false, NORMAL), (true, FULL)] {
        let Ok(level) = writer.inline(Level { sync }) else {
            panic!("not inline");
        };
        assert_eq!(level.unwrap(), expected);
    }
    for [a, b, expected] in [[0, 0, NORMAL], [0, 1, FULL], [1, 0, FULL]] {
        let group = async {
            let level = |sync| writer.enqueue(Level { sync: sync == 1 });
            tokio::join!(level(a), level(b))
        };
        let commit = async {
            let mut jobs = std::mem::take(&mut locked(&writer.queue).jobs);
            assert_eq!(jobs.len(), 2);
            assert!(writer.commit(&locked(&writer.conn), &mut jobs).is_ok());
            jobs.into_iter().for_each(|job| job.answer(None));
        };
        let ((a, b), ()) = tokio::join!(group, commit);
        assert_eq!((a.unwrap(), b.unwrap()), (expected, expected));
    }
}

#[test]
fn only_a_claim_that_may_count_a_crash_must_survive_power_loss() {
    let claim = |recover| ClaimMany {
        worker: WorkerFilter {
            handlers: Vec::new(),
            queues: None,
        },
        request: ClaimRequest {
            limit: 1,
            now: Timestamp::from_millis(0),
            ttl: Duration::from_secs(30),
            recover,
        },
    };
    assert!(claim(true).must_sync());
    assert!(!claim(false).must_sync());
}

#[test]
fn a_renewal_need_not_survive_power_loss() {
    let token = Token { key: 1, number: 1 };
    let renew = Renew {
        fence: token.fence("a".parse().unwrap()),
        token,
        now: Timestamp::from_millis(0),
        ttl: Duration::from_secs(30),
    };
    assert!(!renew.must_sync());
}
