use durable::prelude::*;

#[durable]
async fn handler(http: &Client) -> Result<(), BoxError> {
    let text = http.get("https://example.com").await?.text().await?;
    step!("print", print(&text)).await?;
    Ok(())
}

fn print(text: &str) -> Result<(), BoxError> {
    println!("{text}");
    Ok(())
}

struct Client;
impl Client {
    async fn get(&self, url: &str) -> Result<Client, BoxError> {
        let _ = url;
        Ok(Client)
    }
    async fn text(self) -> Result<String, BoxError> {
        Ok(String::new())
    }
}

fn main() {
    let _ = handler();
}
