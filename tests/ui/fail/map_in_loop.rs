use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    for _ in 0..3 {
        map!("a", 0..3, key = |n| n, |n| { Ok(n) }).await;
    }
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
