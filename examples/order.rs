//! An order that waits for a person: a callback, and a timeout that is just another arm.
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
        // An outside party answers by the callback's id, today or in a month: nothing waits in
        // memory. Which arm wins is recorded before it runs, so a replay never picks another.
        let approved = race!("approval", {
            "answered" => answer = callback!("manager", submit = |id| shop.ask_manager(id, &order).await)
                => answer,
            "too_late" => wait!("patience", Duration::from_secs(7 * 24 * 3600)) => Ok(false),
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
    /// Mails the manager a link with the callback's id. Here she answers at once, from elsewhere.
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
