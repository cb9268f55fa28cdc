use durable::prelude::*;

struct Seen;

#[durable]
async fn handler() -> Result<(), BoxError> {
    poll!("a", every = 1.seconds(), state = Seen, |_seen| Ok(ControlFlow::Break(()))).await?;
    Ok(())
}

fn main() {}
