use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    callback!("answer", submit = |_id| Ok::<_, BoxError>(())).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
