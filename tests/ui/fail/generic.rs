use durable::prelude::*;

#[durable]
async fn handler<T: Send>(input: T) -> Result<(), BoxError> {
    drop(input);
    Ok(())
}

fn main() {
    let _ = handler();
}
