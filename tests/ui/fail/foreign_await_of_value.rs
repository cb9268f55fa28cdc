use durable::prelude::*;

#[durable]
async fn handler(http: &Client) -> Result<(), BoxError> {
    let url = step!(address().await).await?;
    http.get(&url).await?;
    Ok(())
}

async fn address() -> Result<String, BoxError> {
    Ok(String::new())
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
