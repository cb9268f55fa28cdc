use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let _: u32 = callback!("a", retry = Retry::none()).await?;
    Ok(())
}

fn main() {}
