use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    if is_ready().await {
        wait!(Duration::from_secs(1)).await;
    }
    Ok(())
}

async fn is_ready() -> bool {
    true
}

fn main() {
    let _ = handler();
}
