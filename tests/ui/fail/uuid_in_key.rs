use durable::prelude::*;

struct Uuid;
impl Uuid {
    fn new_v4() -> u32 {
        4
    }
}

#[durable]
async fn handler() -> Result<(), BoxError> {
    step!(key = Uuid::new_v4(), work().await).await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
