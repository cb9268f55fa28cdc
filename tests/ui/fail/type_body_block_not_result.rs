use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    step!("a", {
        let one = 1;
        one + 1
    })
    .await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
