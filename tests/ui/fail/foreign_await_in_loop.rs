use durable::prelude::*;
use tokio::sync::{Mutex, mpsc};

#[durable]
async fn handler(rows: &Mutex<mpsc::Receiver<u32>>) -> Result<(), BoxError> {
    for turn in 0..3 {
        let row = next(rows).await;
        step!("insert", key = turn, insert(row).await).await?;
    }
    Ok(())
}

async fn next(rows: &Mutex<mpsc::Receiver<u32>>) -> Option<u32> {
    rows.lock().await.recv().await
}

async fn insert(row: Option<u32>) -> Result<(), BoxError> {
    let _ = row;
    Ok(())
}

fn main() {
    let _ = handler();
}
