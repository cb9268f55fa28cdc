use durable::prelude::*;

#[durable]
async fn import(rows: u32) -> Result<(), BoxError> {
    publish!("rows", rows).await?;
    Ok(())
}

fn main() {}
