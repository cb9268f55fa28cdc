use durable::prelude::*;
use std::collections::BTreeMap;
use std::sync::Mutex;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let squares = Mutex::new(BTreeMap::new());
    map!("squares", 0..3, |n| {
        let square = step!("square", work(n).await).await?;
        squares.lock().unwrap().insert(n, square);
        Ok(())
    })
    .await;
    let squares = squares.lock().unwrap().len();
    assert_eq!(squares, 3);
    Ok(())
}

async fn work(n: u32) -> Result<u32, BoxError> {
    Ok(n * n)
}

fn main() {
    let _ = handler();
}
