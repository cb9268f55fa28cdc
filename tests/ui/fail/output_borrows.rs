use durable::prelude::*;

#[durable]
async fn handler() -> Result<&'static str, BoxError> {
    Ok("done")
}

fn main() {
    let _ = handler();
}
