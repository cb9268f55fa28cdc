use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    invoke!(other(1, 2)).await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
