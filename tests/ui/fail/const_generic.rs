use durable::prelude::*;

#[durable]
async fn handler<const N: usize>() -> Result<(), BoxError> {
    Ok(())
}

fn main() {
    let _ = handler();
}
