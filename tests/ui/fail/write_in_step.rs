use durable::prelude::*;
use std::fmt::Write as _;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let mut text = String::new();
    step!("a", {
        let n = work().await?;
        write!(text, "{n}")?;
        Ok(())
    })
    .await?;
    assert_eq!(text, "1");
    Ok(())
}

async fn work() -> Result<u32, BoxError> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
