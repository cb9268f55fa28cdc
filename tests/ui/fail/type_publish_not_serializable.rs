use durable::prelude::*;

struct Rows(u32);

#[durable]
async fn import(rows: u32) -> Result<(), BoxError> {
    publish!("rows", Rows(rows))?;
    Ok(())
}

fn main() {}
