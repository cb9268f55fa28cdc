use durable::prelude::*;
use futures::future::join_all;

#[durable]
async fn handler(http: &Client, urls: Vec<String>) -> Result<(), BoxError> {
    join_all(urls.iter().map(|url| async move { http.get(url).await.is_ok() })).await;
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
