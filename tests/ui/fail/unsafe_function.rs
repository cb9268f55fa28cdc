use durable::prelude::*;

#[durable]
async unsafe fn handler() -> Result<(), BoxError> {
    Ok(())
}

fn main() {
    let _ = handler();
}
