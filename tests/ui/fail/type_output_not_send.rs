use durable::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Local(std::marker::PhantomData<*const u8>);

#[durable]
async fn handler() -> Result<Local, BoxError> {
    Ok(Local(std::marker::PhantomData))
}

#[durable]
async fn around() -> Result<(), BoxError> {
    call!(handler(())).await?;
    invoke!("again", handler(())).await?;
    Ok(())
}

async fn start(client: durable::Client, worker: durable::Worker) -> Result<(), BoxError> {
    durable::run(handler, "id", ()).await?;
    client.start(handler, "id", ()).await?;
    worker.register(handler).run().await?;
    Ok(())
}

fn main() {
    let _ = (around(), start);
}
