use durable::prelude::*;

#[durable]
async fn handler(state: &str) -> Result<usize, BoxError> {
    Ok(state.len())
}

fn main() {
    let _ = handler();
}
