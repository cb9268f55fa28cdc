//! The crate under another name, handlers nested in functions, and blocks that end with a call.
#![deny(warnings)]

extern crate durable as renamed;

mod durable {}

use renamed::prelude::{BoxError, Duration, durable};

async fn work(n: u32) -> Result<u32, std::fmt::Error> {
    Ok(n)
}
fn plain(n: u32) -> Result<u32, String> {
    Ok(n)
}

fn make() -> impl renamed::IntoHandler {
    struct Local(u32);

    #[durable(crate = renamed)]
    async fn inside(state: &Local, n: u32) -> Result<u32, BoxError> {
        let sum = renamed::step!("sum", async { plain(state.0 + n) }.await).await?;
        #[durable(crate = renamed)]
        async fn nested(n: u32) -> Result<u32, BoxError> {
            Ok(renamed::step!(work(n).await).await?)
        }
        Ok(renamed::call!(nested(sum)).await?)
    }
    inside
}

#[durable(crate = renamed)]
async fn tails(n: u32) -> Result<u32, BoxError> {
    let awaited = renamed::step!("awaited", {
        let n = plain(n)?;
        work(n).await
    })
    .await?;
    let called = renamed::step!("called", {
        let n = work(n).await?;
        plain(n)
    })
    .await?;
    let early = renamed::step!("early", {
        if work(n).await? > 3 {
            return Ok(1);
        }
        Ok(2)
    })
    .await?;
    let Ok(mapped) = renamed::scope!("scope", {
        renamed::wait!(Duration::ZERO).await;
        renamed::step!(plain(1)).await?;
        renamed::step!(work(1).await).await
    })
    .await
    else {
        return Err("no".into());
    };
    Ok(awaited + called + early + mapped)
}

#[test]
fn compiles() {
    let _ = (make(), tails());
}
