use durable::prelude::*;

#[durable]
async fn handler(http: &Client) -> Result<(), BoxError> {
    race!("first", {
        "page" => http.get("https://example.com") => (),
        "late" => wait!(Duration::from_secs(1)) => (),
    })
    .await;
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
