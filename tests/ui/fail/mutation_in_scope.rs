use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let mut done = false;
    scope!("a", {
        done = true;
        work().await
    })
    .await?;
    assert!(done);
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
