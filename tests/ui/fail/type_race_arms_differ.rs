use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    race!("a", { "b" => step!(work().await) => 1, "c" => wait!(Duration::from_secs(1)) => "text" }).await;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
