//! Names of the user and names of the expansion do not conflict.
#![deny(
    warnings,
    clippy::all,
    clippy::pedantic,
    missing_docs,
    unused_qualifications,
    missing_debug_implementations
)]
#![allow(clippy::unused_async, dead_code)]

mod core {}
mod std {}
mod durable_core {}

use ::durable::{durable, step, wait};

struct Ok;
struct Result;
struct Some;
struct None;
struct Err;
trait Send {}
trait Future {}

async fn work(n: u32) -> ::std::result::Result<u32, ::std::fmt::Error> {
    ::std::result::Result::Ok(n)
}

/// Public, so that `missing_docs` checks it.
#[durable]
pub async fn shadowed(__durable_input: u32) -> ::std::result::Result<u32, ::durable::BoxError> {
    let cx = 1;
    let __durable_cx = cx + __durable_input;
    let __claim = step!("a", work(__durable_cx).await).await?;
    let (state, input, op, __op) = (1, 2, 3, 4);
    let __step = step!("b", |step| {
        let _ = step.attempt();
        work(__claim + state + input + op + __op).await
    })
    .await?;
    wait!(::durable::prelude::Duration::ZERO).await;
    let shadowed = __step;
    ::std::result::Result::Ok(shadowed)
}

#[durable]
async fn r#type(r#fn: u32) -> ::std::result::Result<u32, ::durable::BoxError> {
    let r#match = step!(r#loop(r#fn).await).await?;
    ::std::result::Result::Ok(r#match)
}

async fn r#loop(n: u32) -> ::std::result::Result<u32, ::std::fmt::Error> {
    work(n).await
}

#[test]
fn compiles() {
    let r#type = r#type;
    let shadowed = shadowed;
    let _ = (r#type(), shadowed());
}
