use durable::prelude::*;

#[durable]
async fn handler(state: &mut u32) -> Result<(), BoxError> {
    *state += 1;
    Ok(())
}

fn main() {
    let _ = handler();
}
