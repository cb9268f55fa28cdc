//! Call sites by paths other than those of the prelude, and macros of other crates with the same names.
#![deny(warnings)]

use durable as d;
use durable::prelude::{BoxError, Duration, durable};

mod prelude {
    pub use durable::{record, wait};
}

#[durable]
async fn paths() -> Result<u32, BoxError> {
    let one = d::step!("one", Ok::<_, BoxError>(1)).await?;
    let two = durable::step!("two", Ok::<_, BoxError>(2)).await?;
    let three = ::durable::step!("three", Ok::<_, BoxError>(3)).await?;
    crate::prelude::wait!(Duration::ZERO).await;
    let four = self::prelude::record!("four", 4).await;
    let mut ready = std::future::ready(5);
    let five = match futures::poll!(&mut ready) {
        std::task::Poll::Ready(five) => five,
        std::task::Poll::Pending => 0,
    };
    Ok(one + two + three + four + five)
}

#[test]
fn compiles() {
    let _ = paths();
}
