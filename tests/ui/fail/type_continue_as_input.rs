use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    if work().await? > 1 {
        return continue_as!("text").await;
    }
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
