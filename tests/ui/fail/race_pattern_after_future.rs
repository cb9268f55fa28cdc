use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    race!("a", { "b" => found = work() => found, "c" => work() => found => found }).await;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
