use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let local = String::new();
    step!("a", same(&local).await).await?;
    Ok(())
}

async fn same(text: &String) -> Result<&String, std::fmt::Error> {
    Ok(text)
}

fn main() {
    let _ = handler();
}
