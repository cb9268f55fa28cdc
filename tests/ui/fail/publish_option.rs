use durable::prelude::*;

#[durable]
async fn import(rows: u32) -> Result<(), BoxError> {
    publish!("rows", key = rows, rows)?;
    Ok(())
}

fn main() {}
