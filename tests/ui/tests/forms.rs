//! Every kind of call site, and every place where a call site may be.
#![deny(warnings)]
#![allow(clippy::never_loop, clippy::unnecessary_literal_unwrap)]

use std::ops::Deref;

use durable::prelude::*;

async fn work(n: u32) -> Result<u32, std::fmt::Error> {
    Ok(n)
}
fn plain(n: u32) -> Result<u32, String> {
    Ok(n)
}

#[durable(name = "named", version = "2", was = ["old", "older"])]
async fn forms(input: u32) -> Result<u32, BoxError> {
    let name = step!(plain(input)).await?;
    let block = step!("block", { plain(name) }).await?;
    let fallible = step!("fallible", {
        let one = plain(block)?;
        Ok(work(one).await?)
    })
    .await?;
    let branch = step!(
        "branch",
        if fallible > 1 {
            Ok(plain(2)?)
        } else {
            Ok(work(1).await?)
        }
    )
    .await?;
    let chain = step!(work(branch).await.map_err(|error| error.to_string())).await?;
    wait!(Duration::from_millis(chain.into())).await;
    wait!("until", until = execution!().started_at()).await;
    wait!("labelled", label = format!("until {chain}"), Duration::ZERO).await;
    let random = record!("random", secret, label = "r", 4_u32).await;
    step!(
        "secret",
        codec = durable::Json,
        secret,
        was = "open",
        work(random).await
    )
    .await?;
    Ok(random)
}

#[durable]
async fn places(input: u32) -> Result<(), BoxError> {
    if step!("cond", work(input).await).await? > 3 {
        println!("{}", step!("printed", work(1).await).await?);
    }
    match step!("matched", work(2).await).await? {
        0 => {}
        n if n > 1 => drop(step!("arm", work(n).await).await?),
        _ => return Ok(()),
    }
    let list = vec![step!("listed", work(3).await).await?; 2];
    assert!(
        matches!(step!("asserted", work(3).await).await, Ok(3)),
        "{list:?}"
    );
    step! { "braces", work(4).await }.await?;
    durable::step!("path", work(5).await).await?;
    ::durable::step!["absolute", work(6).await].await?;
    let (a, b) = futures::join!(
        async { step!("in async", work(7).await).await },
        step!("joined", work(8).await)
    );
    let mut turn = 0;
    while step!("turn", ordered, work(turn).await).await? < 3 {
        turn += 1;
        wait!(Duration::from_secs(1)).await;
    }
    'outer: loop {
        loop {
            step!("deep", key = turn, {
                for n in 0..3 {
                    if n > 1 {
                        break;
                    }
                }
                work(turn).await
            })
            .await?;
            break 'outer;
        }
    }
    let many = (0..3).map(|n| async move { step!("many", key = n, work(n).await).await });
    let owned = futures::future::try_join_all(many).await?;
    let _ = (a?, b?, owned.deref().len());
    Ok(())
}

#[durable]
async fn owning(words: Vec<String>) -> Result<usize, BoxError> {
    let mut pending = Vec::new();
    for word in words {
        pending.push(step!(
            "word",
            key = word,
            move,
            work(word.len() as u32).await
        ));
    }
    let lengths = futures::future::try_join_all(pending).await?;
    let nothing: Option<usize> = None;
    let async_words = ["a", "b"]
        .iter()
        .map(async |word| step!("async", key = word, plain(1)).await);
    futures::future::join_all(async_words).await;
    Ok(lengths.len() + nothing.unwrap_or(0))
}

#[durable]
async fn scopes(paths: Vec<String>) -> Result<(), BoxError> {
    for path in &paths {
        scope!("file", key = path, {
            step!("parse", plain(path.len() as u32)).await?;
            for part in 0..3 {
                scope!("part", ordered, { step!("parse", plain(part)).await }).await?;
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}

fn is_send(_: impl Send) {}

fn check<H: durable::Handler<()>>(_: fn() -> H, cx: &durable::Context, input: H::Input) {
    is_send(H::run(cx, &(), &durable::__private::Undo::default(), input));
}

#[test]
fn compiles() {
    let _ = |cx: &durable::Context| {
        check(forms, cx, 1);
        check(places, cx, 1);
        check(owning, cx, Vec::new());
        check(scopes, cx, Vec::new());
    };
    use durable::Durable;
    fn manifest<H: Durable>(_: fn() -> H) -> (&'static str, &'static durable::Manifest) {
        (H::NAME, H::manifest())
    }
    let (name, manifest) = manifest(forms);
    assert_eq!(
        (name, manifest.version, manifest.was),
        ("named", Some("2"), &["old", "older"][..])
    );
    let names: Vec<_> = manifest.sites.iter().map(|site| site.name).collect();
    let expected = [
        "plain", "block", "fallible", "branch", "work", "wait", "until", "labelled", "random",
        "secret",
    ];
    assert_eq!(names, expected);
    assert_eq!((manifest.sites[0].line, manifest.sites[3].line), (18, 25));
    assert!(manifest.sites[0].file.ends_with("forms.rs"));
}
