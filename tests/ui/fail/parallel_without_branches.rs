use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    parallel!("a", {}).await;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
