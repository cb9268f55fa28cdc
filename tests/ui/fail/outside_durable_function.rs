use durable::prelude::*;

async fn handler() {
    step!("a", Ok::<_, String>(())).await;
}

fn main() {
    drop(handler());
}
