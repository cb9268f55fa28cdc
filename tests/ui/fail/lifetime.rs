use durable::prelude::*;

#[durable]
async fn handler<'a>(state: &'a u32) -> Result<(), BoxError> {
    drop(state);
    Ok(())
}

fn main() {
    let _ = handler();
}
