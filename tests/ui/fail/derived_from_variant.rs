use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    step!(Ok::<u32, String>(1)).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
