//! A worker with one handler for each thing that the page shows: `worker STORE_URL [changed]`.

use durable::Worker;
use durable::prelude::*;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    file: String,
    rows: u32,
}

/// Scopes, retries, a secret, and a wait at the end.
#[durable]
async fn import(folder: String) -> Result<u32, BoxError> {
    let files = step!("list files", list(&folder)).await?;
    let _token: String = step!("token", secret, token()).await?;
    let rows = map!(
        "files",
        files,
        key = |file| file.clone(),
        concurrency = 2,
        |file| {
            let row = step!(
                "parse",
                retry = Retry::fixed(Duration::from_millis(20)).attempts(5),
                parse(&file).await
            )
            .await?;
            step!("load", load(&row).await).await?;
            Ok(row.rows)
        }
    )
    .await;
    let sum = rows.values().sum();
    scope!("report", {
        step!(
            "render",
            Ok::<_, String>(format!("<b>{sum}</b> rows & more"))
        )
        .await?;
        step!("send", Ok::<_, String>(())).await?;
        Ok::<_, BoxError>(())
    })
    .await?;
    wait!("settle", Duration::from_millis(50)).await;
    Ok(sum)
}

fn list(folder: &str) -> Result<Vec<String>, BoxError> {
    Ok((0..6).map(|n| format!("{folder}/{n}.csv")).collect())
}

fn token() -> Result<String, BoxError> {
    Ok("hunter2-very-secret".to_owned())
}

async fn parse(file: &str) -> Result<Row, BoxError> {
    use std::collections::HashSet;
    use std::sync::{LazyLock, Mutex};
    static SEEN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);
    tokio::time::sleep(Duration::from_millis(30)).await;
    // The first attempt at each file fails.
    if SEEN.lock().expect("no panic").insert(file.to_owned()) {
        return Err("the connection was reset".into());
    }
    Ok(Row {
        file: file.to_owned(),
        rows: 17,
    })
}

async fn load(row: &Row) -> Result<u32, BoxError> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(row.rows)
}

/// Waits for a person and for a long time.
#[durable]
async fn approval(question: String) -> Result<String, BoxError> {
    step!("ask", Ok::<_, String>(format!("{question}?"))).await?;
    let answer: String = callback!("answer").await?;
    step!("note", Ok::<_, String>(answer.clone())).await?;
    Ok(answer)
}

/// Fails at its second step.
#[durable]
async fn charge(card: String) -> Result<u32, BoxError> {
    step!("reserve", Ok::<_, String>(1_u32)).await?;
    let charged = step!("charge", retry = Retry::none(), pay(&card)).await?;
    Ok(charged)
}

fn pay(card: &str) -> Result<u32, BoxError> {
    let cause = std::io::Error::other(format!("the bank declined card {card}"));
    Err(Box::new(cause))
}

/// Sleeps for an hour.
#[durable]
async fn sleeper(note: String) -> Result<String, BoxError> {
    step!("before", Ok::<_, String>(note.clone())).await?;
    wait!("an hour", 1.hours()).await;
    Ok(note)
}

/// Receives two messages.
#[durable]
async fn inbox(_note: String) -> Result<String, BoxError> {
    let mut lines = Vec::new();
    for _ in 0..2 {
        let line: String = receive!("line", ordered).await?;
        lines.push(line);
    }
    Ok(lines.join(" "))
}

/// Receives a message that is secret.
#[durable]
async fn vault(_note: String) -> Result<u32, BoxError> {
    let _key: String = receive!("key", secret).await?;
    Ok(1)
}

/// Fails again and again, with long pauses.
#[durable]
async fn flaky(n: u32) -> Result<u32, BoxError> {
    let retry = Retry::fixed(Duration::from_secs(5)).attempts(1000);
    let value = step!("flaky step", retry = retry, refuse(n)).await?;
    Ok(value)
}

fn refuse(n: u32) -> Result<u32, BoxError> {
    Err(format!("the service refused request {n}").into())
}

/// Publishes its progress, a secret and a long text, a value every 300 milliseconds.
#[durable]
async fn progress(n: u32) -> Result<u32, BoxError> {
    let key: String = step!("key", secret, token()).await?;
    publish!("key", key)?;
    publish!("notes", "long ".repeat(50))?;
    for i in 0..n {
        publish!("percent", i * 100 / n)?;
        step!("tick", key = i, {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok::<_, String>(i)
        })
        .await?;
    }
    publish!("percent", 100)?;
    Ok(n)
}

/// Takes no input.
#[durable]
async fn sweep() -> Result<u32, BoxError> {
    let removed = step!("remove", Ok::<_, String>(3)).await?;
    Ok(removed)
}

/// `n` steps, many of which share a commit.
#[durable]
async fn many(n: u32) -> Result<u32, BoxError> {
    for first in (0..n).step_by(500) {
        let some = first..n.min(first + 500);
        try_join_all(some.map(|i| step!("step", key = i, Ok::<_, String>(1)))).await?;
    }
    Ok(n)
}

/// A step every 300 milliseconds.
#[durable]
async fn slow(n: u32) -> Result<u32, BoxError> {
    for i in 0..n {
        step!("tick", key = i, {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok::<_, String>(i)
        })
        .await?;
    }
    Ok(n)
}

/// As first deployed.
#[durable(name = "renamed")]
async fn first(n: u32) -> Result<u32, BoxError> {
    step!("fetch", Ok::<_, String>(n)).await?;
    wait!("pause", Duration::from_secs(30)).await;
    Ok(n)
}

/// As deployed later, with another kind of operation: histories of the first one block.
#[durable(name = "renamed")]
async fn second(n: u32) -> Result<u32, BoxError> {
    scope!("fetch", {
        Ok::<_, BoxError>(step!("download", Ok::<_, String>(n)).await?)
    })
    .await?;
    wait!("pause", Duration::from_secs(30)).await;
    Ok(n)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("worker STORE_URL [changed]")?;
    let store = durable::open(&url).await?;
    let worker = Worker::new(store)
        .suspend_after(Duration::from_millis(200))
        .register(import)
        .register(approval)
        .register(charge)
        .register(sleeper)
        .register(many)
        .register(inbox)
        .register(vault)
        .register(flaky)
        .register(progress)
        .register(sweep)
        .register(slow);
    let worker = match arguments.next() {
        None => worker.register(first),
        Some(_) => worker.register(second),
    };
    Ok(worker.run().await?)
}
