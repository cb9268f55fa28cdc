use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let mut total = 0;
    map!("a", 0..3, |n| {
        total += n;
        Ok(n)
    })
    .await;
    drop(total);
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
