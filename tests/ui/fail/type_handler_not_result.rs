use durable::prelude::*;

#[durable]
async fn handler() -> u32 {
    5
}

fn main() {
    let _ = handler();
}
