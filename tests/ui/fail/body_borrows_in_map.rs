use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    map!("a", [String::new()], |item| {
        wait!(1.seconds()).await;
        Ok(item.as_str())
    })
    .await;
    Ok(())
}

fn main() {
    let _ = handler();
}
