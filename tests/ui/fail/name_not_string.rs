use durable::prelude::*;

#[durable(name = etl)]
async fn handler() -> Result<(), BoxError> {
    Ok(())
}

fn main() {
    let _ = handler();
}
