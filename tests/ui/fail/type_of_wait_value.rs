use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let n: u32 = wait!(Duration::ZERO).await;
    drop(n);
    Ok(())
}

fn main() {
    let _ = handler();
}
