//! Suite `wait`.

use durable::prelude::*;
use serde_json::{Value, json};

#[durable]
pub(super) async fn waits() -> Result<String, BoxError> {
    wait!(2.seconds()).await;
    Ok("waited".to_owned())
}

#[durable]
pub(super) async fn named() -> Result<String, BoxError> {
    wait!("custom_wait_name", 2.seconds()).await;
    Ok("waited".to_owned())
}

#[durable]
pub(super) async fn twice() -> Result<Value, BoxError> {
    wait!("wait-1", 2.seconds()).await;
    wait!("wait-2", 2.seconds()).await;
    Ok(json!({ "completedWaits": 2 }))
}

#[durable]
pub(super) async fn minute() -> Result<(), BoxError> {
    wait!(1.minutes()).await;
    Ok(())
}

#[durable]
pub(super) async fn hour() -> Result<(), BoxError> {
    wait!(1.hours()).await;
    Ok(())
}
