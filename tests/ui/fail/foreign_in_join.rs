use durable::prelude::*;

#[durable]
async fn handler(http: &Client) -> Result<(), BoxError> {
    let (page, ()) = tokio::join!(http.get("https://example.com"), wait!(Duration::from_secs(1)));
    page?;
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
