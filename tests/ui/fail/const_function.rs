use durable::prelude::*;

#[durable]
const async fn handler() -> Result<(), BoxError> {
    Ok(())
}

fn main() {
    let _ = handler();
}
