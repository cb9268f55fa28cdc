use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    invoke!("a", "function", ()).await?;
    Ok(())
}

fn main() {}
