use durable::prelude::*;

struct Opaque;

#[durable]
async fn handler() -> Result<(), BoxError> {
    step!("a", Err::<u32, _>(Opaque)).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
