use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    for n in 0..3 {
        println!("{n} {}", step!(work().await).await?);
    }
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
