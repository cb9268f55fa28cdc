use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let rows = vec![1];
    batches!("a", rows, target = 3, |_rows| work().await).await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
