use durable::prelude::*;
use std::sync::Mutex;

static SEEN: Mutex<Vec<u32>> = Mutex::new(Vec::new());

#[durable]
async fn handler() -> Result<usize, BoxError> {
    let seen = SEEN.lock().map_err(|_| "poisoned")?.len();
    Ok(seen)
}

fn main() {
    let _ = handler();
}
