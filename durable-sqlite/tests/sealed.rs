//! Sealed stores: nothing readable is left in the file.

#![allow(
    clippy::unwrap_used,
    reason = "a test may stop at what it did not expect, and say why"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use durable_core::private as p;
use durable_core::store::{AesGcm, Filter, PayloadCodec, SealedStore, Store, StoreErrorKind};
use durable_core::{BoxError, Kind, Retry, RunError, StepError, run};
use durable_sqlite::SqliteStore;

/// Text in every input, value, error and output of [`pay`].
const SECRET: &str = "4111-1111-1111-1111";

static SITES: [p::Site; 2] = [
    p::Site::new(Kind::Step, "card", file!(), line!()),
    p::Site::new(Kind::Step, "charge", file!(), line!()),
];
static MANIFEST: p::Manifest = p::Manifest::new("pay", None, &[], &SITES);

/// Reads a card and charges it, which fails twice. Ends with that error, or with the card if `forgive`.
fn pay() -> Pay {
    Pay
}

#[derive(Clone, Copy)]
struct Pay;

impl p::Durable for Pay {
    const NAME: &'static str = "pay";
    type Input = (String, bool);
    type Output = String;
    fn manifest() -> &'static p::Manifest {
        &MANIFEST
    }
}

impl p::Handler<()> for Pay {
    async fn run<'b, 'a: 'b>(
        cx: &'b p::Context,
        _state: &'a (),
        _undo: &'b p::Undo<'a>,
        (card, forgive): (String, bool),
    ) -> Result<String, BoxError> {
        let card = step(cx, 0, Ok(card)).await?;
        let charged = step(cx, 1, Err(format!("{card} was declined"))).await;
        if forgive { Ok(card) } else { Ok(charged?) }
    }
}

async fn step(
    cx: &p::Context,
    site: usize,
    outcome: Result<String, String>,
) -> Result<String, StepError> {
    let retry = Retry::fixed(Duration::from_millis(1)).attempts(2);
    let mut op = p::step(cx.register(&SITES[site]), p::Json);
    while op.next().await.is_some() {
        let options = p::options().retry(&retry);
        let out = op
            .run_with(options, p::pin!(async { outcome.clone() }))
            .await;
        op.record(p::attempted(out));
    }
    op.done()
}

/// Runs an execution that succeeds and one that fails.
async fn pay_both(store: &Arc<dyn Store>) {
    let input = |forgive| (SECRET.to_owned(), forgive);
    let paid = run(pay, "paid", input(true)).store(Arc::clone(store)).await;
    assert_eq!(paid.unwrap(), SECRET);
    let failed = run(pay, "failed", input(false)).store(Arc::clone(store));
    let error = failed.await.unwrap_err();
    assert!(error.to_string().contains(SECRET), "{error}");
}

/// Formats everything that `store` returns about its executions.
async fn shown(store: &dyn Store) -> String {
    let executions = store.list(Filter::default()).await.unwrap();
    let mut text = format!("{executions:?}");
    for execution in executions {
        let error = execution.error.map(|error| error.to_string());
        let records = store.history(&execution.id).await.unwrap();
        text.push_str(&format!("{error:?} {records:?}"));
    }
    text
}

/// Whether the database or its log, which still holds replaced records, contains `text`.
fn files_hold(directory: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(directory).unwrap();
    files.into_iter().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    })
}

fn key(id: &str, byte: u8) -> Arc<dyn PayloadCodec> {
    Arc::new(AesGcm::new(id, &[byte; 32]))
}

#[tokio::test]
async fn an_unsealed_file_is_readable() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plain.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(path).await.unwrap());
    pay_both(&store).await;
    assert!(files_hold(directory.path(), SECRET));
    assert!(files_hold(directory.path(), "was declined"));
    assert!(shown(&*store).await.contains(SECRET));
}

#[tokio::test]
async fn a_sealed_file_is_not_readable() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sealed.db");
    let file = Arc::new(SqliteStore::open(&path).await.unwrap());
    let store = SealedStore::new(Arc::clone(&file), [key("k1", 1)]).unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    pay_both(&store).await;
    assert!(shown(&*store).await.contains("was declined"));
    let shown = shown(&*file).await;
    for text in [SECRET, "was declined"] {
        assert!(!shown.contains(text), "{shown}");
        assert!(!files_hold(directory.path(), text));
    }
    assert!(shown.contains("sealed with `aes-gcm:k1`"), "{shown}");
    assert!(files_hold(directory.path(), "json+aes-gcm:k1"));
    drop((store, file));
    assert!(!files_hold(directory.path(), SECRET));

    let file = SqliteStore::open(&path).await.unwrap();
    let rotated = SealedStore::new(file, [key("k2", 2), key("k1", 1)]).unwrap();
    pay_both(&(Arc::new(rotated) as _)).await;
}

#[tokio::test]
async fn a_run_without_the_key_fails_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sealed.db");
    let file = Arc::new(SqliteStore::open(path).await.unwrap());
    let store = SealedStore::new(Arc::clone(&file), [key("k1", 1)]).unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    pay_both(&store).await;
    let before = shown(&*file).await;
    let others: [Arc<dyn Store>; 3] = [
        Arc::clone(&file) as _,
        Arc::new(SealedStore::new(Arc::clone(&file), [key("k2", 2)]).unwrap()),
        Arc::new(SealedStore::new(Arc::clone(&file), [key("k1", 2)]).unwrap()),
    ];
    let expected = [
        StoreErrorKind::Unusable,
        StoreErrorKind::Unusable,
        StoreErrorKind::Corrupt,
    ];
    for (store, kind) in others.into_iter().zip(expected) {
        let input = (SECRET.to_owned(), true);
        match run(pay, "paid", input).store(store).await {
            Err(RunError::Store(error)) => {
                assert_eq!(error.kind(), kind);
                let text = error.to_string();
                assert!(
                    text.contains("`paid`") && text.contains("`aes-gcm:k1`"),
                    "{text}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(shown(&*file).await, before);
    pay_both(&store).await;
}
