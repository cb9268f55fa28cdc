use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let (a, b) = tokio::join!(step!("a", work().await), step!("a", work().await));
    a?;
    b?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
