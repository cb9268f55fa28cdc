use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    loop {
        step!("a", ordered, {
            if work().await.is_ok() {
                break;
            }
            work().await
        })
        .await?;
    }
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
