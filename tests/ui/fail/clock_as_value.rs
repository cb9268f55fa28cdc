use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let _ = None.unwrap_or_else(std::time::Instant::now);
    Ok(())
}

fn main() {
    let _ = handler();
}
