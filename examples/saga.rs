//! Trip of several bookings: when a booking fails, the earlier ones are undone in reverse order.
//!
//! ```text
//! cargo run --example saga
//! ```

use durable::prelude::*;
use durable::{Retry, RunError};

#[durable]
async fn trip(agency: &Agency, to: String) -> Result<String, BoxError> {
    // When the execution fails or is cancelled, the undo bodies of finished steps run in reverse order. They are
    // durable steps too, with retries.
    let flight = step!(
        "flight",
        undo = |booking| agency.cancel(booking).await,
        agency.book("flight", &to)
    )
    .await?;
    let hotel = step!(
        "hotel",
        undo = |booking| agency.cancel(booking).await,
        agency.book("hotel", &to)
    )
    .await?;

    // Starts another execution exactly once. It has a separate history.
    let insurance = invoke!("insurance", insure(to.clone())).await?;

    let car = step!("car", retry = Retry::none(), agency.book("car", &to)).await?;
    Ok([flight, hotel, insurance, car].join(", "))
}

#[durable]
async fn insure(agency: &Agency, to: String) -> Result<String, BoxError> {
    let quotes = parallel!("quotes", complete = durable::Complete::first_success(), {
        "fast" => { Ok(step!("quote", agency.book("fast insurance", &to)).await?) },
        "slow" => {
            wait!("slow", Duration::from_secs(3600)).await;
            Ok(step!("quote", agency.book("slow insurance", &to)).await?)
        },
    })
    .await;
    let quote = quotes.into_values()?.into_iter().next();
    Ok(quote.ok_or("no insurance available")?)
}

struct Agency;

impl Agency {
    fn book(&self, service: &str, to: &str) -> Result<String, BoxError> {
        if service == "car" && to == "Atlantis" {
            return Err("no roads there".into());
        }
        println!("booked a {service} to {to}");
        Ok(format!("{service} to {to}"))
    }

    async fn cancel(&self, booking: String) -> Result<(), BoxError> {
        println!("cancelled the {booking}");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let store = durable::open("memory:").await?;
    for to in ["Lisbon", "Atlantis"] {
        let run = durable::run(trip, format!("trip-to-{to}"), to.to_owned());
        match run.state(&Agency).store(store.clone()).await {
            Ok(booked) => println!("{booked}"),
            Err(RunError::Failed(error)) => println!("the trip to {to} failed: {error}"),
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "tests/saga.rs"]
mod tests;
