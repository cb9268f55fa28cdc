use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    map!("a", 5, |item| { Ok(item) }).await;
    Ok(())
}

fn main() {
    let _ = handler();
}
