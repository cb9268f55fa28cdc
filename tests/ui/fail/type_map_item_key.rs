use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    map!("a", [vec![1]], key = |n| n, |n| { Ok(n) }).await;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
