use durable::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Local(std::marker::PhantomData<*const u8>);

#[durable]
async fn handler(local: Local) -> Result<(), BoxError> {
    drop(local);
    Ok(())
}

#[durable]
async fn around() -> Result<(), BoxError> {
    call!(handler(Local(std::marker::PhantomData))).await?;
    invoke!("again", handler(Local(std::marker::PhantomData))).await?;
    Ok(())
}

async fn start(client: durable::Client, worker: durable::Worker) -> Result<(), BoxError> {
    durable::run(handler, "id", Local(std::marker::PhantomData)).await?;
    client.start(handler, "id", Local(std::marker::PhantomData)).await?;
    worker.register(handler).run().await?;
    Ok(())
}

fn main() {
    let _ = (around(), start);
}
