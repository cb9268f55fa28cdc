use durable::prelude::*;

struct Plain;

#[durable]
async fn handler() -> Result<(), BoxError> {
    scope!("a", {
        step!("b", Ok::<_, String>(1)).await?;
        Ok(Plain)
    })
    .await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
