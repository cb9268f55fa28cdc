use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError>
where
    String: Clone,
{
    Ok(())
}

fn main() {
    let _ = handler();
}
