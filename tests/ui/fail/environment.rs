use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let _ = std::env::var("HOME");
    Ok(())
}

fn main() {
    let _ = handler();
}
