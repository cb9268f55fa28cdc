use durable::prelude::*;

struct Plain;

#[durable]
async fn handler(plain: Plain) -> Result<(), BoxError> {
    drop(plain);
    Ok(())
}

#[durable]
async fn around() -> Result<(), BoxError> {
    call!(handler(Plain)).await?;
    invoke!("again", handler(Plain)).await?;
    Ok(())
}

async fn start(client: durable::Client, worker: durable::Worker) -> Result<(), BoxError> {
    durable::run(handler, "id", Plain).await?;
    client.start(handler, "id", Plain).await?;
    worker.register(handler).run().await?;
    Ok(())
}

fn main() {
    let _ = (around(), start);
}
