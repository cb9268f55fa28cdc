use durable::prelude::*;

#[durable]
async fn talk(to: String) -> Result<(), BoxError> {
    send!(&to, true).await?;
    Ok(())
}

fn main() {}
