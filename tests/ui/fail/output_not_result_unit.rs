use durable::prelude::*;

#[durable]
async fn handler() -> () {}

fn main() {
    let _ = handler();
}
