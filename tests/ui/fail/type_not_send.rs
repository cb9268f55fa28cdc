use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let shared = std::rc::Rc::new(1);
    step!("a", work().await).await?;
    drop(shared);
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
