use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    match 1 {
        1 => step!(work().await).await?,
        _ => step!(work().await).await?,
    };
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
