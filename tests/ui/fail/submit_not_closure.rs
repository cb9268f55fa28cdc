use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let _: u32 = callback!("a", submit = work()).await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
