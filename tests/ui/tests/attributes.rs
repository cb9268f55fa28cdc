//! Documentation, `cfg`s, lint levels and other attributes are kept on the right items.
#![deny(warnings)]

use durable::prelude::*;

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

#[durable]
#[cfg(any())]
async fn absent() -> Result<u32, Missing> {
    step!(work().await).await
}

#[allow(dead_code)]
#[durable]
async fn never_called() -> Result<(), BoxError> {
    Ok(())
}

#[durable]
#[deprecated]
#[expect(unused_variables)]
pub async fn levels(input: u32) -> Result<(), BoxError> {
    let unused = ();
    Ok(())
}

#[durable(allow(D001, D003))]
async fn arms() -> Result<u32, BoxError> {
    let _ = std::time::Instant::now();
    #[durable(allow(D002))]
    rand::random(std::env::args());
    #[cfg(unix)]
    let value = step!("same", work().await).await?;
    #[cfg(not(unix))]
    let value = step!("same", work().await).await?;
    match value {
        #[cfg(windows)]
        1 => step!("arm", work().await).await?,
        #[cfg(not(windows))]
        1 => step!("arm", work().await).await?,
        _ => 0,
    };
    let mut changed = 0;
    #[durable(allow(D008))]
    step!("changes", {
        changed += 1;
        work().await
    })
    .await?;
    Ok(value + changed)
}

mod rand {
    pub fn random(_: std::env::Args) {}
}

mod inner {
    use super::*;

    #[durable]
    pub(super) async fn handler(number: u32) -> Result<u32, BoxError> {
        Ok(step!("add", async { Ok::<_, String>(number) }.await).await?)
    }
}

macro_rules! handler {
    ($name:ident, $text:literal, $body:expr) => {
        #[durable]
        async fn $name() -> Result<u32, BoxError> {
            step!("before", work().await).await?;
            Ok(step!($text, $body).await?)
        }
    };
}
handler!(made, "made", work().await);

#[test]
fn compiles() {
    let _ = (arms(), inner::handler(), made());
}
