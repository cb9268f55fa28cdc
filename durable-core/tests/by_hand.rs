//! Uses the operations without the attribute: a hand-written version of its expansion.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use durable_core::private as p;
use durable_core::store::MemoryStore;
use durable_core::{BoxError, Kind, run};

static SITES: [p::Site; 4] = [
    p::Site::new(Kind::Step, "read", file!(), line!()),
    p::Site::new(Kind::Step, "load", file!(), line!()).keyed(),
    p::Site::new(Kind::Wait, "breathe", file!(), line!()).ordered(),
    p::Site::new(Kind::Scope, "publish", file!(), line!()),
];
static MANIFEST: p::Manifest = p::Manifest::new("etl", None, &[], &SITES);

fn etl() -> Etl {
    Etl
}

#[derive(Clone, Copy)]
struct Etl;

impl p::Durable for Etl {
    const NAME: &'static str = "etl";
    type Input = u32;
    type Output = u32;
    fn manifest() -> &'static p::Manifest {
        &MANIFEST
    }
}

impl p::Handler<AtomicU32> for Etl {
    fn run<'b, 'a: 'b>(
        cx: &'b p::Context,
        state: &'a AtomicU32,
        _undo: &'b p::Undo<'a>,
        input: u32,
    ) -> impl Future<Output = Result<u32, BoxError>> + Send + 'b {
        async fn body(cx: &p::Context, app: &AtomicU32, n: u32) -> Result<u32, BoxError> {
            let rows: Vec<u32> = {
                let mut op = p::step(cx.register(&SITES[0]), p::Json);
                async {
                    while let Some(_step) = op.next().await {
                        let out = op
                            .run(p::pin!(async {
                                if let Some(never) = p::never() {
                                    return never;
                                }
                                app.fetch_add(1, Ordering::SeqCst);
                                Ok((0..n).collect::<Vec<u32>>())
                            }))
                            .await;
                        op.record(p::attempted(out));
                    }
                    op.done()
                }
            }
            .await?;
            let mut total = 0;
            for row in &rows {
                total += {
                    let mut op = p::step(cx.register_keyed(&SITES[1], p::key(&(row))), p::Json);
                    async {
                        while let Some(_step) = op.next().await {
                            let out = op
                                .run(p::pin!(async {
                                    app.fetch_add(1, Ordering::SeqCst);
                                    tokio::task::yield_now().await;
                                    Ok::<u32, String>(row * 2)
                                }))
                                .await;
                            op.record(p::attempted(out));
                        }
                        op.done()
                    }
                }
                .await?;
                p::wait(cx.register(&SITES[2]), Duration::from_millis(1)).await;
            }
            let done = {
                let operation = cx.register(&SITES[3]);
                async {
                    let mut op = p::scope(operation, p::Json);
                    match op.enter().await {
                        p::Enter::Done(result) => result,
                        p::Enter::Run(child) => {
                            let out = child.body(async { Ok::<u32, BoxError>(total) }).await;
                            op.finish(p::finished(out)).await
                        }
                    }
                }
            }
            .await?;
            Ok(done)
        }
        async move { p::HandlerResult::boxed(body(cx, state, input).await) }
    }
}

#[tokio::test]
async fn a_hand_written_handler_runs_once_and_is_replayed() {
    let store = Arc::new(MemoryStore::new());
    let calls = AtomicU32::new(0);
    let report = run(etl, "a", 3)
        .state(&calls)
        .store(store.clone())
        .report()
        .await;
    assert_eq!(report.output.unwrap(), 6);
    assert_eq!(calls.load(Ordering::SeqCst), 4);
    assert_eq!(report.invocations, 1);
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let again = run(etl, "a", 3).state(&calls).store(store.clone()).await;
    assert_eq!(again.unwrap(), 6);
    assert_eq!(calls.load(Ordering::SeqCst), 4);

    let report = run(etl, "b", 3)
        .state(&calls)
        .store(store)
        .suspend_after(Duration::ZERO)
        .report()
        .await;
    assert_eq!(report.output.unwrap(), 6);
    assert_eq!(report.invocations, 4);
    assert_eq!(calls.load(Ordering::SeqCst), 8);
}
