use durable::prelude::*;

struct Opaque;

#[durable]
async fn handler() -> Result<(), BoxError> {
    step!("a", {
        Err::<(), _>(Opaque)?;
        Ok(1)
    })
    .await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
