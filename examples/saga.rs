//! A trip of several bookings: when a later one fails, the earlier ones are taken back, last first.
//!
//! ```text
//! cargo run --example saga
//! ```

use durable::prelude::*;
use durable::{Retry, RunError};

#[durable]
async fn trip(agency: &Agency, to: String) -> Result<String, BoxError> {
    // Each finished step registers what takes it back. When the execution fails or is cancelled,
    // the undo bodies run in reverse order, as durable steps with retries of their own.
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

    // Another execution, started exactly once, with a history of its own.
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
    Ok(quote.ok_or("nobody insures")?)
}

struct Agency;

impl Agency {
    fn book(&self, what: &str, to: &str) -> Result<String, BoxError> {
        if what == "car" && to == "Atlantis" {
            return Err("no roads there".into());
        }
        println!("booked a {what} to {to}");
        Ok(format!("{what} to {to}"))
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
