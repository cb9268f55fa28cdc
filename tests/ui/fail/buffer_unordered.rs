use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    use futures::StreamExt;
    let stream = futures::stream::iter([work()]);
    stream.buffer_unordered(2).count().await;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
