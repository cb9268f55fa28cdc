use durable::prelude::*;

#[durable]
async fn handler(one: &str, two: &str) -> Result<(), BoxError> {
    drop((one, two));
    Ok(())
}

fn main() {
    let _ = handler();
}
