use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    tokio::select! {
        one = step!("a", work().await) => drop(one),
        two = step!("b", work().await) => drop(two),
    }
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
