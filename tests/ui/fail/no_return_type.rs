use durable::prelude::*;

#[durable]
async fn handler() {
    step!("a", Ok::<_, String>(())).await.ok();
}

fn main() {
    let _ = handler();
}
