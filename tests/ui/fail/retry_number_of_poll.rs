use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    poll!("a", every = 1.seconds(), retry = 3, Ok(ControlFlow::Break(()))).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
