use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    continue_as!().await
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
