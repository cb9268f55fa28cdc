use durable::prelude::*;

#[durable]
async fn import(rows: u32) -> Result<(), BoxError> {
    publish!("rows/all", rows)?;
    Ok(())
}

fn main() {}
