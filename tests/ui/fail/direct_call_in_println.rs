use durable::prelude::*;

#[durable]
async fn helper(n: u32) -> Result<u32, BoxError> {
    Ok(n)
}

#[durable]
async fn handler() -> Result<(), BoxError> {
    println!("{}", helper(1).await?);
    Ok(())
}

fn main() {
    let _ = handler();
}
