use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let _: () = invoke!(function = "other", ()).await?;
    Ok(())
}

fn main() {}
