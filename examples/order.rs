//! Order that needs a person's approval: a race between a callback and a timer.
//!
//! ```text
//! cargo run --example order
//! ```

use durable::Client;
use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Order {
    id: u32,
    amount: u32,
}

struct Shop {
    client: Client,
}

#[durable]
async fn order(shop: &Shop, order: Order) -> Result<String, BoxError> {
    let reservation = step!("reserve", reserve(&order)).await?;
    if order.amount > 100 {
        // The manager completes the callback by its id, at any later time. Until then the execution is suspended and
        // occupies no memory. The winning arm is recorded before it runs, so a replay takes the same one.
        let approved = race!("approval", {
            "answered" => answer = callback!("manager", submit = |id| shop.ask_manager(id, &order).await)
                => answer,
            "timed_out" => wait!("deadline", Duration::from_secs(7 * 24 * 3600)) => Ok(false),
        })
        .await?;
        if !approved {
            step!("release", release(&reservation)).await?;
            return Ok(format!("order {} was not approved", order.id));
        }
    }
    let receipt = step!("charge", |step| charge(&order, &step.idempotency_key())).await?;
    Ok(format!("order {} is paid: {receipt}", order.id))
}

fn reserve(order: &Order) -> Result<String, BoxError> {
    println!("reserving goods for order {}", order.id);
    Ok(format!("reservation-{}", order.id))
}

fn release(reservation: &str) -> Result<(), BoxError> {
    println!("releasing {reservation}");
    Ok(())
}

fn charge(order: &Order, key: &str) -> Result<String, BoxError> {
    println!("charging {} with idempotency key {key}", order.amount);
    Ok(format!("receipt-{}", order.id))
}

impl Shop {
    /// Mails the manager a link with the callback's id. In this example another task completes it at once.
    async fn ask_manager(&self, callback: impl ToString, order: &Order) -> Result<(), BoxError> {
        println!("asking the manager about order {}", order.id);
        let (client, callback) = (self.client.clone(), callback.to_string());
        tokio::spawn(async move { client.complete(&callback, &true).await });
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let store = durable::open("memory:").await?;
    let shop = Shop {
        client: Client::new(store.clone()),
    };
    for (id, amount) in [(1, 50), (2, 500)] {
        let outcome = durable::run(order, format!("order-{id}"), Order { id, amount })
            .state(&shop)
            .store(store.clone())
            .await?;
        println!("{outcome}");
    }
    Ok(())
}

#[cfg(test)]
#[path = "tests/order.rs"]
mod tests;
