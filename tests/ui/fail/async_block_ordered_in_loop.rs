use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    for _ in 0..3 {
        async { step!("a", ordered, work().await).await }.await?;
    }
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
