use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    std::thread::spawn(|| ());
    Ok(())
}

fn main() {
    let _ = handler();
}
