use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    std::thread::sleep(Duration::ZERO);
    Ok(())
}

fn main() {
    let _ = handler();
}
