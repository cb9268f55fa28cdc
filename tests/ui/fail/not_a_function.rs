use durable::prelude::*;

#[durable]
struct Handler;

fn main() {
    drop(Handler);
}
