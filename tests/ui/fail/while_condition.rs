use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    while step!(work().await).await? < 3 {}
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
