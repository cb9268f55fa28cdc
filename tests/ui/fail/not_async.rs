use durable::prelude::*;

#[durable]
fn handler() -> Result<(), BoxError> {
    Ok(())
}

fn main() {
    let _ = handler();
}
