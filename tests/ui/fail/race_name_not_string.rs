use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    race!("a", { b => work() => 1, "c" => work() => 2 }).await;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
