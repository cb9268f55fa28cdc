use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let mut tasks = vec![work()];
    tokio::task::spawn(tasks.remove(0));
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
