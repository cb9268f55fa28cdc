use durable::prelude::*;

#[durable]
async fn import(rows: u32) -> Result<(), BoxError> {
    publish!(rows)?;
    Ok(())
}

fn main() {}
