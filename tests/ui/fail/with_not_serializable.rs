use durable::prelude::*;

struct Order;

async fn pay(_order: &Order) -> Result<(), BoxError> {
    Ok(())
}

#[durable]
async fn handler() -> Result<(), BoxError> {
    let order = Order;
    step!("pay", with = order, pay(&order).await).await?;
    Ok(())
}

fn main() {}
