use durable::prelude::*;
use std::process::Command;

#[durable]
async fn handler() -> Result<(), BoxError> {
    Command::new("true").arg("-x").status()?;
    Ok(())
}

fn main() {
    let _ = handler();
}
