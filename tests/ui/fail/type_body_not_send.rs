use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    step!("a", {
        let shared = std::rc::Rc::new(1);
        work().await?;
        Ok(*shared)
    })
    .await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
