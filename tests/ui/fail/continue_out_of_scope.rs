use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    'out: for n in 0..3 {
        scope!("a", key = n, {
            if n == 2 {
                continue 'out;
            }
            work().await
        })
        .await?;
    }
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
