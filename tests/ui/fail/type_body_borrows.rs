use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let local = String::new();
    step!("a", first(&local).await).await?;
    Ok(())
}

async fn first(text: &str) -> Result<&str, std::fmt::Error> {
    Ok(text)
}

fn main() {
    let _ = handler();
}
