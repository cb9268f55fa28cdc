use durable::prelude::*;

fn take(_text: String) -> Result<(), String> {
    Ok(())
}

#[durable]
async fn handler() -> Result<(), BoxError> {
    let text = String::new();
    step!("a", take(text)).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
