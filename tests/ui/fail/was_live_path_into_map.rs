use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    map!("files", [1], |_| { Ok(step!("load", work().await).await?) }).await;
    for n in 0..2 {
        step!("loaded", key = n, was = "files/item[*]/load", work().await).await?;
    }
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
