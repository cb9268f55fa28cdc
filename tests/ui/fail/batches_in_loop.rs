use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let rows = [1];
    for _ in 0..3 {
        batches!("a", rows, |rows| Ok(rows.len())).await?;
    }
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
