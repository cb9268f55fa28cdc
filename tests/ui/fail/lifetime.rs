use durable::prelude::*;

#[durable]
async fn handler<'a>(state: &'a str) -> Result<(), BoxError> {
    drop(state);
    Ok(())
}

fn main() {
    let _ = handler();
}
