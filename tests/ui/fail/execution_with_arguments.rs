use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let _ = execution!(id);
    Ok(())
}

fn main() {
    let _ = handler();
}
