use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let seconds: u64 = 5;
    poll!("a", every = seconds, Ok(ControlFlow::Break(()))).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
