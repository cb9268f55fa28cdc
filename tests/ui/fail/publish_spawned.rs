use durable::prelude::*;

#[durable]
async fn import(rows: u32) -> Result<(), BoxError> {
    tokio::spawn(async move { publish!("rows", rows) });
    Ok(())
}

fn main() {}
