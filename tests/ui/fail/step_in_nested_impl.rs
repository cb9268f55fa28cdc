use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    struct One;
    impl One {
        async fn run(&self) {
            step!(work().await).await.ok();
        }
    }
    One.run().await;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
