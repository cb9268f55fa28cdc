use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let _: () = invoke!("a", tenant = 1, "function", ()).await?;
    Ok(())
}

fn main() {}
