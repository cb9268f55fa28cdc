use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    record!("a", undo = |_value| Ok(()), 1).await;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
