//! Changes that bodies may make: to their own locals, to handles, and to the shared state.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use durable::prelude::*;

struct App {
    log: Mutex<Vec<u32>>,
    runs: AtomicU32,
}

struct Db;
impl Db {
    async fn insert(&mut self, row: u32) -> Result<u32, BoxError> {
        Ok(row)
    }
    fn push(&mut self, row: u32) -> Result<u32, BoxError> {
        Ok(row)
    }
}

async fn work(n: u32) -> Result<u32, BoxError> {
    Ok(n)
}

#[durable]
async fn bodies(app: &App, xs: Vec<u32>) -> Result<u32, BoxError> {
    let rows = step!("own", {
        let mut rows = Vec::new();
        rows.push(work(1).await?);
        Ok(rows)
    })
    .await?;
    let rows = step!("shadowed", {
        let mut rows = rows.clone();
        rows.extend(xs.iter().copied());
        work(1).await?;
        Ok(rows)
    })
    .await?;
    step!("shared", {
        app.log.lock().unwrap().push(1);
        app.runs.fetch_add(1, Ordering::Relaxed);
        work(1).await
    })
    .await?;
    let mut out = Vec::new();
    for row in rows {
        out.push(step!("load", key = row, work(row).await).await?);
    }
    let sorted = map!("sorted", vec![vec![3, 1], vec![2]], |mut part| {
        part.sort_unstable();
        Ok(part)
    })
    .await
    .into_values()?;
    Ok(out.len() as u32 + sorted.len() as u32)
}

#[durable]
async fn handles() -> Result<u32, BoxError> {
    let mut db = Db;
    let row = step!(db.insert(1).await).await?;
    let same = step!(db.push(row)).await?;
    Ok(same)
}

fn timeout(limit: u32) -> Duration {
    Duration::from_secs(limit.into())
}

fn interval(limit: u32) -> Duration {
    timeout(limit)
}

/// Functions and methods with the names of hazards, and a local atomic.
#[durable]
async fn names() -> Result<u32, BoxError> {
    fn spawn(n: u32) -> u32 {
        n
    }
    wait!("a", timeout(1)).await;
    wait!("b", interval(1)).await;
    let done = AtomicU32::new(spawn(1));
    done.fetch_add(1, Ordering::Relaxed);
    Ok(done.into_inner())
}

#[test]
fn compiles() {
    let _ = (bodies(), handles(), names());
}
