use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    poll!("a", every = 1.seconds(), attempts = -1, Ok(ControlFlow::Break(()))).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
