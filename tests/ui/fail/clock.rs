use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let _ = std::time::SystemTime::now();
    Ok(())
}

fn main() {
    let _ = handler();
}
