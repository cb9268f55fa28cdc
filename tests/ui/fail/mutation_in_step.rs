use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let mut total = 0;
    step!("a", {
        total += work().await?;
        Ok(())
    })
    .await?;
    assert!(total > 0);
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
