use durable::prelude::*;

#[durable]
async fn handler(url: String) -> Result<(), BoxError> {
    let text = fetch(&url).await?.trim().to_owned();
    step!("print", print(&text)).await?;
    Ok(())
}

async fn fetch(url: &str) -> Result<String, BoxError> {
    Ok(url.to_owned())
}

fn print(text: &str) -> Result<(), BoxError> {
    println!("{text}");
    Ok(())
}

fn main() {
    let _ = handler();
}
