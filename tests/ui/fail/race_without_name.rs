use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    race!({ "b" => step!(work().await) => (), "c" => wait!(Duration::from_secs(1)) => () }).await;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
