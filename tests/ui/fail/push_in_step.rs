use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let mut out = Vec::new();
    step!("a", {
        out.push(work().await?);
        Ok(())
    })
    .await?;
    assert_eq!(out.len(), 1);
    Ok(())
}

async fn work() -> Result<u32, BoxError> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
