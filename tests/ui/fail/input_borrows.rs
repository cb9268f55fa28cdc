use durable::prelude::*;

#[durable]
async fn handler(names: Vec<&str>) -> Result<(), BoxError> {
    drop(names);
    Ok(())
}

fn main() {
    let _ = handler();
}
