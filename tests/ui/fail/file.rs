use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let _ = std::fs::read("a");
    Ok(())
}

fn main() {
    let _ = handler();
}
