use durable::prelude::*;

macro_rules! add {
    ($n:expr) => {
        step!("add", Ok::<_, BoxError>($n + 1)).await?
    };
}

#[durable]
async fn handler(n: u32) -> Result<u32, BoxError> {
    Ok(add!(n))
}

fn main() {
    let _ = handler();
}
