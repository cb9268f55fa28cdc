use durable::prelude::*;

async fn plain() {
    wait!(Duration::ZERO).await;
}

fn main() {
    drop(plain());
}
