use durable::prelude::*;

#[durable]
async fn handler(input: impl Send) -> Result<(), BoxError> {
    drop(input);
    Ok(())
}

fn main() {
    let _ = handler();
}
