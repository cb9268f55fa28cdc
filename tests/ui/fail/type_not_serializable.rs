use durable::prelude::*;

struct Plain;
async fn make() -> Result<Plain, String> {
    Ok(Plain)
}

#[durable]
async fn handler() -> Result<(), BoxError> {
    let value = step!("a", make().await).await?;
    drop(value);
    Ok(())
}

fn main() {
    let _ = handler();
}
