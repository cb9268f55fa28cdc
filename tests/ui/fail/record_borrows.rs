use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let local = String::new();
    record!("a", local.as_str()).await;
    Ok(())
}

fn main() {
    let _ = handler();
}
