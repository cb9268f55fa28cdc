use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    struct Opaque;
    step!("a", {
        if work().await? == 1 {
            return Err(Opaque);
        }
        Ok(1)
    })
    .await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
