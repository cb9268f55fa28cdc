use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let all: Vec<u32> = vec![];
    all.iter().for_each(|_| drop(step!("a", work().await)));
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
