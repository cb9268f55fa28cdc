//! Durable functions with names that the expansion uses too.

use durable::prelude::*;

struct App;

#[durable]
async fn state(app: &App, number: u32) -> Result<u32, BoxError> {
    let _ = app;
    Ok(number)
}

#[durable]
async fn input(number: u32) -> Result<u32, BoxError> {
    Ok(number)
}

#[durable]
async fn cx() -> Result<(), BoxError> {
    Ok(())
}

#[durable]
async fn site() -> Result<(), BoxError> {
    Ok(())
}

#[durable]
async fn undo(app: &App, number: u32) -> Result<u32, BoxError> {
    step!("a", undo = |_value| Ok(()), Ok::<_, BoxError>(number)).await?;
    call!(cx(())).await?;
    call!(site(())).await?;
    let number = call!(input(number)).await?;
    let _ = app;
    Ok(call!(state(number)).await?)
}

#[tokio::test]
async fn runs() -> Result<(), BoxError> {
    let store = durable::open("memory:").await?;
    let number = durable::run(undo, "a", 7).state(&App).store(store).await?;
    assert_eq!(number, 7);
    Ok(())
}
