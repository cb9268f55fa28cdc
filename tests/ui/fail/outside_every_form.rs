use durable::prelude::*;

async fn helper() -> Result<(), BoxError> {
    record!(1).await;
    wait!(1.seconds()).await;
    poll!("a", every = 1.seconds(), Ok(ControlFlow::Break(()))).await?;
    callback!("a").await?;
    invoke!(other(())).await?;
    scope!("a", { Ok(()) }).await?;
    call!(other(())).await?;
    map!("a", [1], |n| { Ok(n) }).await;
    parallel!("a", { "b" => { Ok(1) } }).await;
    race!("a", { "b" => wait!(1.seconds()) => 1, "c" => wait!(1.seconds()) => 2 }).await;
    batches!("a", [1], |n| Ok(n.len())).await?;
    execution!();
    let _: () = receive!("a").await?;
    send!("to", "a", 1).await?;
    publish!("a", 1)?;
    continue_as!(()).await
}

fn main() {
    drop(helper());
}
