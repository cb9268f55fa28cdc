use durable::prelude::*;

#[durable]
async fn import(_rows: u32) -> Result<(), BoxError> {
    publish!("rows")?;
    Ok(())
}

fn main() {}
