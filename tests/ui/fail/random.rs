use durable::prelude::*;

mod rand {
    pub fn random() -> u32 {
        4
    }
}

#[durable]
async fn handler() -> Result<(), BoxError> {
    let _: u32 = rand::random();
    Ok(())
}

fn main() {
    let _ = handler();
}
