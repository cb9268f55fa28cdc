use durable::prelude::*;

#[durable]
async extern "C" fn handler() -> Result<(), BoxError> {
    Ok(())
}

fn main() {
    let _ = handler();
}
