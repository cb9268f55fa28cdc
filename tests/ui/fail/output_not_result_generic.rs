use durable::prelude::*;

#[durable]
async fn handler() -> Option<std::collections::BTreeMap<u8, &'static str>> {
    None
}

fn main() {
    let _ = handler();
}
