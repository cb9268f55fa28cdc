use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    async {
        for _ in 0..3 {
            wait!(Duration::ZERO).await;
        }
    }
    .await;
    Ok(())
}

fn main() {
    let _ = handler();
}
