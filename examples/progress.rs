//! Progress of an import, which a client follows while a worker runs it.
//!
//! ```text
//! cargo run --example progress
//! ```

use durable::prelude::*;
use durable::{Client, Worker};
use futures::{StreamExt, pin_mut};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Progress {
    file: String,
    rows: u64,
    percent: u64,
}

#[durable]
async fn import(files: Vec<String>) -> Result<u64, BoxError> {
    let mut rows = 0;
    for (done, file) in files.iter().enumerate() {
        let percent = (done * 100 / files.len()) as u64;
        // Written along with the next checkpoint. After a crash, values that were published before are not repeated.
        publish!(
            "progress",
            Progress {
                file: file.clone(),
                rows,
                percent
            }
        )?;
        rows += step!("load", key = file, load(file).await).await?;
    }
    let file = String::new();
    publish!(
        "progress",
        Progress {
            file,
            rows,
            percent: 100
        }
    )?;
    Ok(rows)
}

async fn load(file: &str) -> Result<u64, BoxError> {
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(file.len() as u64 * 1000)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let store = durable::open("memory:").await?;
    let client = Client::new(store.clone());
    let worker = Worker::new(store).register(import);
    let mut seen = Ok(Vec::new());
    worker
        .run_until(async { seen = follow(&client).await })
        .await?;
    println!("{} changes seen", seen?.len());
    Ok(())
}

/// Starts an import and prints its progress. A web server would pass the values on to a browser.
async fn follow(client: &Client) -> Result<Vec<Progress>, BoxError> {
    let files = ["north", "east", "south", "west"].map(|name| format!("{name}.csv"));
    client.start(import, "import-7", files.into()).await?;
    let changes = client.published_changes::<Progress>("import-7", "progress");
    pin_mut!(changes);
    let mut seen = Vec::new();
    while let Some(progress) = changes.next().await {
        let progress = progress?;
        println!(
            "{:3} %  {} rows  {}",
            progress.percent, progress.rows, progress.file
        );
        seen.push(progress);
    }
    Ok(seen)
}

#[cfg(test)]
#[path = "tests/progress.rs"]
mod tests;
