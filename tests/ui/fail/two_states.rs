use durable::prelude::*;

#[durable]
async fn handler(one: &u32, two: &u32) -> Result<(), BoxError> {
    drop((one, two));
    Ok(())
}

fn main() {
    let _ = handler();
}
