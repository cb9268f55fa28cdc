//! Paths, files and disks that a store cannot use: it reports them and changes nothing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop at what it did not expect, and say why"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use durable_core::store::{
    AdminStore, CheckpointStore, ExecutionStore, StoreError, StoreErrorKind,
};
use durable_sqlite::SqliteStore;
use rusqlite::Connection;
use support::{Other, child_command, child_env, id, leased, open, positions, report, step, steps};
use tempfile::{TempDir, tempdir};

/// Page size of the store, in bytes.
const PAGE: u64 = 1024;

/// Asserts that opening `path` fails, with a message that has the path and these words.
async fn assert_refused(path: &Path, kind: StoreErrorKind, words: &[&str]) -> StoreError {
    let error = SqliteStore::open(path).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    let name = path.file_name().unwrap().to_str().unwrap();
    for word in words.iter().chain([&name]) {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    error
}

/// Creates a closed store with an execution `a` of so many steps.
async fn written_store(steps: u64) -> (TempDir, PathBuf) {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = open(&path).await;
    let lease = leased(&store, "a").await;
    support::steps(&store, &lease.fence, 1, steps)
        .await
        .unwrap();
    drop(store);
    (directory, path)
}

#[tokio::test]
async fn an_empty_file_becomes_a_new_store() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    fs::write(&path, "").unwrap();
    leased(&open(&path).await, "a").await;
    assert!(positions(&open(&path).await, "a").await.is_empty());
}

#[tokio::test]
async fn an_empty_file_with_a_log_is_refused() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let log = directory.path().join("a.db-wal");
    fs::write(&log, "acknowledged").unwrap();
    assert_refused(&path, StoreErrorKind::Corrupt, &["a.db-wal", "gone"]).await;
    fs::write(&path, "").unwrap();
    assert_refused(&path, StoreErrorKind::Corrupt, &["a.db-wal", "empty"]).await;
    assert_eq!(fs::read(&log).unwrap(), b"acknowledged");
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_refused_and_not_changed() {
    let directory = tempdir().unwrap();
    for (name, content) in [
        ("short.db", "hello".to_owned()),
        ("long.db", "name,value\n".repeat(2000)),
    ] {
        let path = directory.path().join(name);
        fs::write(&path, &content).unwrap();
        assert_refused(
            &path,
            StoreErrorKind::Unusable,
            &["not a SQLite database", "new file"],
        )
        .await;
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_path_that_names_no_file_is_refused() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("store");
    fs::create_dir(&path).unwrap();
    assert_refused(&path, StoreErrorKind::Unusable, &["is a directory"]).await;
    let path = directory.path().join("missing/a.db");
    assert_refused(
        &path,
        StoreErrorKind::Unusable,
        &["missing` does not exist", "create"],
    )
    .await;
    assert_refused(
        Path::new(":memory:"),
        StoreErrorKind::Unusable,
        &["MemoryStore"],
    )
    .await;
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_dangling_link_is_refused() {
    let directory = tempdir().unwrap();
    let (path, link) = (
        directory.path().join("a.db"),
        directory.path().join("link.db"),
    );
    std::os::unix::fs::symlink(path, &link).unwrap();
    assert_refused(&link, StoreErrorKind::Unusable, &["link to a file"]).await;
}

#[tokio::test]
async fn a_newer_file_is_refused() {
    let (_directory, path) = written_store(1).await;
    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let words = ["version 99", "up to 11", "newer release"];
    assert_refused(&path, StoreErrorKind::TooNew, &words).await;
}

#[tokio::test]
async fn another_programs_database_is_refused_and_not_changed() {
    let directory = tempdir().unwrap();
    let table = "CREATE TABLE notes (text)";
    for (name, sql) in [
        ("table.db", table),
        (
            "marked.db",
            "PRAGMA application_id = 7; PRAGMA user_version = 3",
        ),
    ] {
        let path = directory.path().join(name);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let before = fs::read(&path).unwrap();
        assert_refused(&path, StoreErrorKind::Unusable, &["another program"]).await;
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_truncated_file_is_refused() {
    let (_directory, path) = written_store(200).await;
    let size = fs::metadata(&path).unwrap().len();
    for keep in [size / 2 / PAGE * PAGE, size - PAGE, size - 1000, PAGE, 1000] {
        let copy = path.with_file_name(format!("{keep}.db"));
        fs::write(&copy, &fs::read(&path).unwrap()[..keep as usize]).unwrap();
        assert_refused(&copy, StoreErrorKind::Corrupt, &["backup"]).await;
    }
}

#[tokio::test]
async fn a_damaged_page_is_detected_when_the_file_is_opened() {
    let (_directory, path) = written_store(200).await;
    let sound = fs::read(&path).unwrap();
    let page_size = PAGE as usize;
    for page in 1..sound.len() / page_size {
        let mut damaged = sound.clone();
        // The page header: the type of the page and the offset of its cells.
        for byte in &mut damaged[page * page_size..][..8] {
            *byte ^= 0x55;
        }
        let copy = path.with_file_name(format!("{page}.db"));
        fs::write(&copy, damaged).unwrap();
        assert_refused(&copy, StoreErrorKind::Corrupt, &["backup"]).await;
    }
}

#[tokio::test]
async fn a_flipped_bit_causes_at_most_an_error() {
    let (_directory, path) = written_store(40).await;
    let sound = fs::read(&path).unwrap();
    let expected = open(&path).await.history(&id("a")).await.unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for n in 0..60 {
        let mut damaged = sound.clone();
        let bit = random.usize(100 * 8..damaged.len() * 8);
        damaged[bit / 8] ^= 1 << (bit % 8);
        let copy = path.with_file_name(format!("{n}.db"));
        fs::write(&copy, damaged).unwrap();
        if let Ok(store) = SqliteStore::open(&copy).await {
            if let Ok(history) = store.history(&id("a")).await {
                // The flip may have moved the last record to another execution.
                assert!(expected.starts_with(&history), "bit {bit}: {history:#?}");
            }
            let _ = store.list(Default::default()).await;
        }
    }
}

#[tokio::test]
async fn the_error_for_an_undecodable_record_names_execution_and_position() {
    let damages = [
        (
            "UPDATE operations SET kind = 'dance' WHERE place & 0xffffffff = 2",
            "kind",
        ),
        (
            "UPDATE operations SET id = x'00' WHERE place & 0xffffffff = 2",
            "id",
        ),
        (
            "UPDATE operations SET error = '{' WHERE place & 0xffffffff = 2",
            "error",
        ),
        (
            "UPDATE operations SET attempt = -1 WHERE place & 0xffffffff = 2",
            "attempt",
        ),
        (
            "UPDATE operations SET codec = 'json', data = NULL WHERE place & 0xffffffff = 2",
            "data",
        ),
    ];
    for (sql, column) in damages {
        let (_directory, path) = written_store(3).await;
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let error = open(&path).await.history(&id("a")).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let text = error.to_string();
        for word in ["a.db", "record 2", "`a`", column] {
            assert!(text.contains(word), "{word:?} is not in: {text}");
        }
    }
}

#[tokio::test]
async fn the_error_for_an_undecodable_execution_names_it() {
    let (_directory, path) = written_store(1).await;
    let sql = "UPDATE executions SET status = 'lost'";
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let error = open(&path).await.get(&id("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let text = error.to_string();
    assert!(
        text.contains("execution `a`") && text.contains("status"),
        "{text}"
    );
}

#[tokio::test]
async fn a_lock_of_another_process_is_reported_after_the_timeout() {
    let (_directory, path) = written_store(1).await;
    let store = open(&path).await;
    let lease = store
        .claim(&id("a"), support::now(), support::TTL)
        .await
        .unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = steps(&store, &lease.fence, 2, 2).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("Another process"), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    steps(&store, &lease.fence, 2, 2).await.unwrap();
    assert_eq!(positions(&store, "a").await, [1, 2]);
}

/// Entry point of the other process. Does nothing when it runs as a test.
#[tokio::test]
async fn child() {
    let (Ok(role), Ok(path)) = (
        std::env::var("DURABLE_CHILD"),
        std::env::var("DURABLE_PATH"),
    ) else {
        return;
    };
    match role.as_str() {
        "open" => match SqliteStore::open(&path).await {
            Ok(_) => report("opened"),
            Err(error) => report(format_args!("{:?}: {error}", error.kind())),
        },
        "fill" => fill_the_disk(Path::new(&path)).await,
        other => panic!("no role {other}"),
    }
}

/// Opens the store as another user, since `root` has every permission. Returns the message of that
/// process, or `None` if the user cannot be changed.
#[cfg(unix)]
fn opened_by_nobody(path: &Path) -> Option<String> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let directory = path.parent().unwrap();
    if fs::metadata(directory).unwrap().uid() != 0 {
        println!("skipped: only root can become another user");
        return None;
    }
    // Copied to where that user can run it.
    let exe = directory.join("test");
    if !exe.exists() {
        let mode = fs::metadata(directory).unwrap().permissions();
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
        fs::set_permissions(directory, mode).unwrap();
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(&exe).args(["--exact", "child", "--nocapture"]);
    child_env(&mut command, "open", path);
    if Command::new("setpriv").arg("--version").output().is_err() {
        println!("skipped: there is no setpriv");
        return None;
    }
    Some(Other::run(&mut command).receive().unwrap_or_default())
}

#[cfg(unix)]
#[tokio::test]
async fn missing_permissions_are_reported() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, path) = written_store(1).await;
    let set =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for (what, of_directory, of_file, word) in [
        ("a file that cannot be read", 0o777, 0o600, "permission"),
        ("a file that cannot be written", 0o777, 0o444, "permission"),
        (
            "a directory that cannot be written",
            0o755,
            0o666,
            "permission",
        ),
    ] {
        set(directory.path(), of_directory);
        set(&path, of_file);
        let Some(message) = opened_by_nobody(&path) else {
            return;
        };
        assert!(
            message.starts_with("Unusable") && message.contains(word),
            "{what}: {message}"
        );
        assert!(message.contains("a.db"), "{what}: {message}");
    }
    set(directory.path(), 0o755);
    let message = opened_by_nobody(&directory.path().join("new.db")).unwrap();
    assert!(
        message.starts_with("Unusable") && message.contains("new.db"),
        "a new file: {message}"
    );
    set(directory.path(), 0o777);
    set(&path, 0o666);
    assert_eq!(opened_by_nobody(&path).as_deref(), Some("opened"));
}

/// Fills a file system of one megabyte, frees space and continues.
async fn fill_the_disk(path: &Path) {
    let ballast = path.with_file_name("ballast");
    fs::write(&ballast, vec![7; 300 << 10]).unwrap();
    let store = open(path).await;
    let lease = leased(&store, "a").await;
    steps(&store, &lease.fence, 1, 60).await.unwrap();
    // Two writes of the writer thread, which has tried to preallocate the log between them.
    for name in ["b", "c"] {
        store.start(support::new(name)).await.unwrap();
    }
    let log = fs::metadata(path.with_file_name("a.db-wal")).unwrap();
    assert!(log.len() < 200 << 10, "the log took up the whole disk");
    let mut seq = 61;
    let error = loop {
        match steps(&store, &lease.fence, seq, seq).await {
            Ok(()) => seq += 1,
            Err(error) => break error,
        }
    };
    report(format_args!("{:?}: {error}", error.kind()));
    let expected: Vec<_> = (1..seq).collect();
    assert_eq!(positions(&store, "a").await, expected);
    fs::remove_file(&ballast).unwrap();
    steps(&store, &lease.fence, seq, seq + 20).await.unwrap();
    drop(store);
    let expected: Vec<_> = (1..=seq + 20).collect();
    assert_eq!(positions(&open(path).await, "a").await, expected);
    assert!(support::is_sound(path));
    report("continued");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing_and_the_store_keeps_working() {
    let directory = tempdir().unwrap();
    let mount = directory.path().join("small");
    fs::create_dir(&mount).unwrap();
    // Mounted in a separate mount namespace, which ends with the process.
    let script = "mount -t tmpfs -o size=1m tmpfs \"$0\" && exec \"$@\"";
    let inner = child_command("fill", &mount.join("a.db"));
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(&mount);
    command.arg(inner.get_program()).args(inner.get_args());
    child_env(&mut command, "fill", &mount.join("a.db"));
    let probe = Command::new("unshare").args(["--mount", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        println!("skipped: no permission to mount a small file system");
        return;
    }
    let other = Other::run(&mut command);
    let message = other.receive().unwrap();
    assert!(
        message.starts_with("Unavailable") && message.contains("a.db"),
        "{message}"
    );
    assert!(message.contains("disk is full"), "{message}");
    assert_eq!(other.receive().as_deref(), Some("continued"));
}

#[tokio::test]
async fn a_record_over_the_size_limit_is_refused() {
    let (_directory, path) = written_store(1).await;
    let store = open(&path).await;
    let lease = store
        .claim(&id("a"), support::now(), support::TTL)
        .await
        .unwrap();
    let mut large = step(2);
    large.payload = Some(support::json(vec![
        b'7';
        store.capabilities().max_value + 1
    ]));
    let batch = durable_core::store::Batch {
        id: 2,
        records: vec![large],
        children: Vec::new(),
        seen: 0,
        messages_after: None,
        execution: None,
    };
    let error = store
        .checkpoint(&lease.fence, batch.into())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    assert!(error.to_string().contains("`load[2]`"), "{error}");
}
