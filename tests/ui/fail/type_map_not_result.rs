use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    map!("a", 0..3, |n| { n }).await;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
