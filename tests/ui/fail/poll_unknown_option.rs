use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    poll!("a", every = Duration::ZERO, until = 3, Ok(ControlFlow::Break(()))).await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
