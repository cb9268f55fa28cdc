//! `call!` of functions with and without state, and recursive calls.
#![deny(warnings)]

use durable::prelude::*;

pub struct App {
    factor: u64,
}

#[durable]
async fn stateless() -> Result<u64, BoxError> {
    Ok(1)
}

#[durable]
async fn factorial(n: u64) -> Result<u64, BoxError> {
    if n < 2 {
        return Ok(call!(stateless()).await?);
    }
    Ok(n * call!(factorial(n - 1)).await?)
}

#[durable]
async fn scaled(App { factor }: &App, (n, m): (u64, u64)) -> Result<u64, BoxError> {
    let state = 3;
    let one = call!("own", factorial(n * state)).await?;
    let two = call!(r#unit()).await?;
    for n in 0..m {
        scope!("inner", key = n, { call!(factorial(n)).await }).await?;
    }
    Ok(factor * one + two)
}

#[durable]
async fn unit(app: &App) -> Result<u64, BoxError> {
    let app = app.factor;
    Ok(call!(scaled((app, 1))).await?)
}

fn is_send(_: impl Send) {}

fn check<H: durable::Handler<App>>(
    _: fn() -> H,
    cx: &durable::Context,
    app: &App,
    input: H::Input,
) {
    is_send(H::run(cx, app, &durable::__private::Undo::default(), input));
}

#[test]
fn compiles() {
    let _ = |cx: &durable::Context, app: &App| {
        check(factorial, cx, app, 3);
        check(scaled, cx, app, (3, 4));
        check(unit, cx, app, ());
    };
}
