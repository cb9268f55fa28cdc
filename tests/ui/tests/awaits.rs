//! Awaits of durable calls in every form, and other awaits that are accepted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::{Pin, pin};

use durable::prelude::*;
use futures::future::{BoxFuture, FutureExt, join_all, ready, try_join_all};
use futures::stream::{FuturesOrdered, StreamExt};

async fn work(n: u32) -> Result<u32, BoxError> {
    Ok(n)
}

async fn traced<T>(call: impl Future<Output = T>) -> T {
    call.await
}

#[durable]
async fn combinators(xs: Vec<u32>) -> Result<u32, BoxError> {
    let all = join_all(xs.iter().map(|x| step!("joined", key = x, work(*x).await))).await;
    let tried = try_join_all(xs.iter().map(|x| async move {
        let first = step!("first", key = x, work(*x).await).await?;
        Ok::<_, BoxError>(step!("second", key = x, work(first).await).await?)
    }))
    .await?;
    let (a, b) = tokio::join!(step!("a", work(1).await), async {
        step!("b", work(2).await).await
    });
    let (c, d) = tokio::try_join!(step!("c", work(1).await), step!("d", work(2).await))?;
    let e = traced(step!("e", work(3).await)).await?;
    let f = step!("f", work(4).await).map(|done| done.is_ok()).await;
    let ordered = futures::stream::iter(&xs).then(|x| step!("streamed", key = x, work(*x).await));
    let mut ordered = pin!(ordered);
    while let Some(done) = ordered.next().await {
        done?;
    }
    tokio::task::yield_now().await;
    std::future::ready(()).await;
    Ok(all.len() as u32 + tried.len() as u32 + a? + b? + c + d + e + u32::from(f))
}

#[durable]
async fn locals(xs: Vec<u32>) -> Result<u32, BoxError> {
    let one = step!("one", work(1).await);
    let (two, three) = (step!("two", work(2).await), step!("three", work(3).await));
    let mut sum = one.await? + two.await? + three.await?;

    let either = if xs.is_empty() {
        step!("empty", work(0).await).boxed()
    } else {
        step!("full", work(1).await).boxed()
    };
    sum += either.await?;

    let mut pinned = pin!(step!("pinned", work(1).await));
    sum += pinned.as_mut().await?;

    let mut list = Vec::new();
    for x in &xs {
        list.push(step!("listed", key = x, work(*x).await));
    }
    for call in list {
        sum += call.await?;
    }

    let mut queue: FuturesOrdered<_> = FuturesOrdered::new();
    for x in &xs {
        queue.push_back(step!("queued", key = x, work(*x).await));
    }
    while let Some(done) = queue.next().await {
        sum += done?;
    }

    let mut by_name = BTreeMap::new();
    by_name.insert("a", step!("in a map", work(1).await).boxed());
    if let Some(call) = by_name.remove("a") {
        sum += call.await?;
    }

    let cell = RefCell::new(None);
    *cell.borrow_mut() = Some(step!("in a cell", work(1).await));
    let call = cell.into_inner();
    match call {
        Some(call) => sum += call.await?,
        None => sum += 1,
    }
    Ok(sum)
}

struct Calls<'a> {
    first: BoxFuture<'a, Result<u32, StepError>>,
    rest: Vec<BoxFuture<'a, Result<u32, StepError>>>,
}

#[durable]
async fn closures_and_structs(xs: Vec<u32>) -> Result<u32, BoxError> {
    let run = |x: u32| step!("run", key = x, move, work(x).await);
    let mut sum = run(1).await? + run(2).await?;
    let twice = |x: u32| async move {
        let once = step!("once", key = x, work(x).await).await?;
        step!("twice", key = x, work(once).await).await
    };
    sum += twice(1).await?;
    for done in join_all(xs.iter().copied().map(twice)).await {
        sum += done?;
    }
    let wrapped = |call: Pin<Box<dyn Future<Output = Result<u32, StepError>> + Send>>| async move {
        call.await.unwrap_or(0)
    };
    sum += wrapped(Box::pin(run(3))).await;

    let mut calls = Calls {
        first: step!("first", work(1).await).boxed(),
        rest: Vec::new(),
    };
    calls.rest.push(step!("rest", work(2).await).boxed());
    sum += calls.first.await?;
    while let Some(call) = calls.rest.pop() {
        sum += call.await?;
    }
    sum += ready(1).await;
    Ok(sum)
}

/// A branch or scope without durable calls is recorded as a whole, so its body may await anything.
#[durable]
async fn recorded_as_a_whole(xs: Vec<u32>) -> Result<u32, BoxError> {
    let one = scope!("one", { work(1).await }).await?;
    let all = map!("all", &xs, |x| { work(*x).await })
        .await
        .into_values()?;
    let both = parallel!("both", {
        "a" => { work(1).await },
        "b" => { work(2).await },
    })
    .await
    .into_values()?;
    Ok(one + (all.len() + both.len()) as u32)
}

#[durable]
async fn callbacks() -> Result<u32, BoxError> {
    let answer = callback!("answer");
    let id = answer.id().await;
    step!("ask", work(id.to_string().len() as u32).await).await?;
    let won = race!("first", {
        "answer" => value = answer => value,
        "late" => wait!(Duration::from_secs(1)) => Ok(0),
    })
    .await;
    Ok(won?)
}

#[durable]
async fn allowed(n: u32) -> Result<u32, BoxError> {
    // These behave the same on every replay.
    #[durable(allow(D022))]
    let n = work(n).await?;
    Ok(n)
}

#[test]
fn compiles() {
    let _ = (
        combinators(),
        locals(),
        closures_and_structs(),
        recorded_as_a_whole(),
        callbacks(),
        allowed(),
    );
}
