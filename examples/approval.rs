//! Approvals by message: several people answer in any order, and a clerk can withdraw the request meanwhile.
//!
//! ```text
//! cargo run --example approval
//! ```

use durable::prelude::*;
use durable::{Client, Worker};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Expense {
    purpose: String,
    approvers: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Message {
    Approve { by: String },
    Comment { by: String, text: String },
    Withdraw,
}

#[durable]
async fn approval(expense: Expense) -> Result<String, BoxError> {
    let mut approved = Vec::new();
    // Everyone can read how far it is, from any process, while the execution waits without one.
    publish!("status", "waits for the first approval")?;
    while approved.len() < expense.approvers as usize {
        // Messages are received once and in the order in which they were sent, whatever happens to this process.
        let message = receive!("message", timeout = 14.days()).await?;
        match message {
            Message::Approve { by } if !approved.contains(&by) => approved.push(by),
            Message::Approve { by } => println!("{by} has approved before"),
            Message::Comment { by, text } => publish!("comment", format!("{by}: {text}"))?,
            Message::Withdraw => return Ok(format!("{} was withdrawn", expense.purpose)),
        }
        let missing = expense.approvers as usize - approved.len();
        publish!("status", format!("{missing} approvals are missing"))?;
    }
    let receipt = step!("pay", pay(&expense)).await?;
    Ok(format!("{receipt}, approved by {}", approved.join(" and ")))
}

fn pay(expense: &Expense) -> Result<String, BoxError> {
    println!("paying for {}", expense.purpose);
    Ok(format!("{} is paid", expense.purpose))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let store = durable::open("memory:").await?;
    let client = Client::new(store.clone());
    let worker = Worker::new(store).register(approval);
    let mut result = Ok(String::new());
    worker
        .run_until(async { result = talk(&client).await })
        .await?;
    println!("{}", result?);
    Ok(())
}

/// What the people do, each in a process of their own.
async fn talk(client: &Client) -> Result<String, BoxError> {
    let expense = Expense {
        purpose: "a new oven".to_owned(),
        approvers: 2,
    };
    let execution = client.start(approval, "expense-7", expense).await?;
    let text = "is it the large one?".to_owned();
    for message in [
        Message::Approve { by: "Ada".into() },
        Message::Comment {
            by: "Bob".into(),
            text,
        },
        Message::Approve { by: "Ada".into() },
        Message::Approve { by: "Bob".into() },
    ] {
        client.send("expense-7", "message", &message).await?;
    }
    let result = execution.result().await?;
    let comment: Option<String> = client.published("expense-7", "comment").await?;
    println!("last comment: {}", comment.unwrap_or_default());
    Ok(result)
}

#[cfg(test)]
#[path = "tests/approval.rs"]
mod tests;
