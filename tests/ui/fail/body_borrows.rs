use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let local = String::new();
    step!("a", Ok::<_, BoxError>(&local)).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
