use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    poll!("a", every = 5, Ok(ControlFlow::Break(()))).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
