use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let _: () = invoke!("a", function = 1, ()).await?;
    Ok(())
}

fn main() {}
