//! Many executions: a client starts one for each reader, and a worker runs them. A queue limits each mail server to one
//! execution at a time.
//!
//! ```text
//! cargo run --example newsletter
//! ```

use std::sync::Mutex;

use durable::prelude::*;
use durable::store::{MemoryStore, Queue, QueueStore};
use durable::{Client, Worker};

/// Mailer that records the mails it sends.
#[derive(Default)]
struct Mailer(Mutex<Vec<String>>);

#[durable]
async fn welcome(mailer: &Mailer, address: String) -> Result<usize, BoxError> {
    step!("greet", mailer.send(&address, "welcome")).await?;
    // The execution is suspended here and occupies no memory, however long the wait is.
    wait!("settle", Duration::from_millis(20)).await;
    step!("tips", mailer.send(&address, "tips")).await?;
    Ok(2)
}

impl Mailer {
    fn send(&self, address: &str, mail: &str) -> Result<(), BoxError> {
        let mut sent = self.0.lock().map_err(|_| "the mailer is unavailable")?;
        sent.push(format!("{mail} to {address}"));
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // Use `durable::open("sqlite:mail.db").await?` to survive a restart.
    println!("{} mails sent", send_all(MemoryStore::new()).await?);
    Ok(())
}

async fn send_all(store: MemoryStore) -> Result<usize, BoxError> {
    let one_per_server = Queue {
        name: "mail".to_owned(),
        concurrency_per_key: Some(1),
        ..Queue::default()
    };
    store.put_queue(one_per_server).await?;
    let client = Client::new(store.clone());
    let worker = Worker::new(store)
        .state(Mailer::default())
        .register(welcome);
    let mut sent = Ok(0);
    // A worker process calls `run()` instead, which stops cleanly on SIGTERM.
    worker
        .run_until(async { sent = start_and_wait(&client).await })
        .await?;
    sent
}

async fn start_and_wait(client: &Client) -> Result<usize, BoxError> {
    let mut mails = Vec::new();
    for n in 0..20 {
        let (reader, server) = (n / 4, n % 4);
        let address = format!("reader-{reader}@server-{server}.example");
        let id = format!("welcome-{address}");
        let start = client.start(welcome, id, address);
        mails.push(start.queue("mail").key(server).await?);
    }
    let mut sent = 0;
    for mail in mails {
        sent += mail.result().await?;
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn mails_repeat_only_if_the_process_dies_before_they_are_recorded() {
        let reader = "reader@server.example".to_owned();
        let report = durable::testing::crash_everywhere(welcome, |_| Mailer::default(), reader);
        report.await.unwrap();
    }

    #[tokio::test]
    async fn all_readers_get_both_mails() {
        assert_eq!(send_all(MemoryStore::new()).await.unwrap(), 40);
    }
}
