//! Bodies that borrow locals, loop variables and the shared state. The futures of handlers are `Send`.
#![deny(warnings)]

use durable::prelude::*;

pub struct App {
    db: String,
}
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Job {
    path: String,
}

async fn read(path: &str) -> Result<Vec<u32>, std::io::Error> {
    Ok(vec![path.len() as u32])
}
async fn insert(db: &str, batch: &[u32]) -> Result<u32, BoxError> {
    Ok((db.len() + batch.len()) as u32)
}

/// Documented.
#[durable]
pub async fn etl(app: &App, job: Job) -> Result<u32, BoxError> {
    let rows = step!(read(&job.path).await).await?;
    let mut total = 0;
    for (n, batch) in rows.chunks(500).enumerate() {
        total += step!("load", key = n, insert(&app.db, batch).await).await?;
        wait!("breathe", Duration::from_secs(1)).await;
    }
    let (left, right) = tokio::join!(
        step!("left", insert(&app.db, &rows).await),
        step!(
            "right",
            retry = Retry::none(),
            timeout = Duration::from_secs(1),
            at_most_once,
            |step| {
                let key = step.idempotency_key();
                insert(&key, &rows).await
            }
        ),
    );
    let sums = futures::future::join_all(rows.iter().map(|row| {
        step!(
            "row",
            key = (row, n(row)),
            insert(&app.db, std::slice::from_ref(row)).await
        )
    }))
    .await;
    let scoped = scope!("part", {
        let now = record!("now", std::time::SystemTime::now()).await;
        let _ = now.elapsed()?;
        step!("left", insert(&app.db, &rows).await).await?;
        Ok(execution!().id().to_string().len() as u32)
    })
    .await?;
    Ok(total + left? + right? + sums.len() as u32 + scoped)
}

fn n(row: &u32) -> u32 {
    *row
}

fn is_send(_: impl Send) {}

fn run<H: durable::Handler<App, Input = Job>>(
    _: fn() -> H,
    cx: &durable::Context,
    app: &App,
    job: Job,
) {
    is_send(H::run(cx, app, &durable::__private::Undo::default(), job));
}

#[test]
fn compiles() {
    let _ = |cx: &durable::Context, app: &App, job: Job| run(etl, cx, app, job);
}
