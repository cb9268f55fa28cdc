use durable::prelude::*;

#[durable]
async fn talk(to: String) -> Result<(), BoxError> {
    send!(&to, "line").await?;
    Ok(())
}

fn main() {}
