use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    poll!("a", every = 1.seconds(), Ok(true)).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
