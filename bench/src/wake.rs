//! Time from a message to a suspended execution until its handler continues, in one process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;
use durable::{Client, Worker};

use crate::floor;
use crate::opened::{Opened, execution_id};
use crate::point::Point;
use crate::report::{Line, Samples};
use crate::settings::Settings;
use crate::start_latency::until_suspended;

#[durable]
async fn waits_for_message(body: &Point) -> Result<u32, BoxError> {
    let number: u32 = receive!("number").await?;
    step!("received", record(body)).await?;
    Ok(number)
}

fn record(body: &Point) -> Result<(), BoxError> {
    body.reach();
    Ok(())
}

/// Sends a message to each of `n` suspended executions, one after the other.
pub async fn measure(settings: &Settings) -> Result<(), BoxError> {
    let opened = Opened::open(&settings.store).await?;
    let body = Arc::new(Point::new());
    let worker = Worker::new(opened.store.clone())
        .state(Arc::clone(&body))
        .register(waits_for_message);
    let client = Client::new(opened.store.clone());
    let mut measured = Ok(Vec::new());
    worker
        .run_until(async { measured = send_each(&client, &body, settings.n).await })
        .await?;
    let samples = Samples::new(measured?, 1);
    // A wake-up takes three commits: of the message, of the claim, and of the value that was received.
    let floor = match opened.path() {
        Some(path) => floor::append(path, floor::value_len()?, settings.n)?,
        None => Vec::new(),
    };
    Line::new("wake", opened.name, settings, "us", &samples)
        .floor("append_and_fdatasync", &Samples::new(floor, 1))
        .print()?;
    opened.close()?;
    Ok(())
}

async fn send_each(client: &Client, body: &Point, n: u32) -> Result<Vec<Duration>, BoxError> {
    let run = execution_id(0);
    let mut took = Vec::new();
    for i in 0..n {
        let id = format!("{run}-{i}");
        let handle = client.start(waits_for_message, id.clone(), ()).await?;
        until_suspended(client, handle.id()).await?;
        let start = Instant::now();
        client.send(&id, "number", &i).await?;
        took.push(body.reached_since(start).await);
        handle.result().await?;
    }
    Ok(took)
}
