use durable::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};

static COUNTER: AtomicU32 = AtomicU32::new(0);

#[durable]
async fn handler() -> Result<u32, BoxError> {
    Ok(COUNTER.fetch_add(1, Ordering::SeqCst))
}

fn main() {
    let _ = handler();
}
