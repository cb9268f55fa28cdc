//! Every operation, with borrows of locals and state, in loops and concurrently. The futures are `Send`.
#![deny(warnings)]
#![allow(clippy::never_loop)]

use durable::prelude::*;

struct App {
    db: String,
}

type Job = Vec<String>;

impl App {
    async fn insert(&self, row: &str) -> Result<u32, std::fmt::Error> {
        Ok((self.db.len() + row.len()) as u32)
    }
}

#[durable]
async fn waiting(app: &App, job: Job) -> Result<u32, BoxError> {
    let mut total = 0;
    let pause = Duration::from_secs(1);
    let policy = Retry::fixed(pause);
    for (n, row) in job.iter().enumerate() {
        let first = row.clone();
        total += poll!(
            "ready",
            key = row,
            every = Backoff::exponential(pause),
            state = first.clone(),
            attempts = 9,
            timeout = pause * 60,
            retry = policy,
            |seen| {
                let inserted = app.insert(&seen).await?;
                Ok(if inserted > 3 {
                    ControlFlow::Break(inserted)
                } else {
                    ControlFlow::Continue(seen + row)
                })
            }
        )
        .await?;
        let plain: () = poll!("plain", key = n, every = pause, Ok(ControlFlow::Break(()))).await?;
        let answer = callback!(
            "answer",
            key = row,
            timeout = pause,
            heartbeat = pause,
            codec = durable::Json
        );
        let id = answer.id().await;
        step!("hand out", key = row, retry = policy, app.insert(&id).await).await?;
        let answer: u32 = answer.await?;
        let (left, right): (Result<u32, _>, Result<u32, _>) = futures::join!(
            callback!(
                "left",
                key = n,
                submit = |id| app.insert(id).await.map(drop)
            ),
            callback!(
                "right",
                key = n,
                secret,
                submit = |id| {
                    app.insert(id).await?;
                    app.insert(row).await?;
                    Ok(())
                }
            ),
        );
        total += answer + left? + right?;
        let () = plain;
    }
    Ok(total)
}

#[durable]
async fn starting(app: &App, job: Job) -> Result<u32, BoxError> {
    let pause = Duration::from_secs(1);
    let one = invoke!(waiting(job.clone()));
    let other = invoke!("other", key = app.db, waiting(job.clone()));
    let (one, other) = futures::join!(one, other);
    let far: String = invoke!("far", "function", (1, 2)).await?;
    let none: () = invoke!("none", "nothing").await?;
    let () = none;
    for name in &job {
        invoke!("each", key = name, waiting(vec![name.clone()]),).await?;
        #[cfg(any())]
        wait!(pause).await;
        break;
    }
    wait!(pause).await;
    if far.is_empty() {
        return continue_as!(job).await;
    }
    Ok(one? + other?)
}

/// Publishes in every place.
#[durable]
async fn publishing(app: &App, job: Job) -> Result<u32, BoxError> {
    publish!("job", &job)?;
    publish!("count", job.len(),)?;
    let mut done = 0;
    for name in &job {
        let text: String = scope!("each", key = name, {
            publish!("name", name)?;
            let kept = async { publish!("name", format!("{name}!")) };
            kept.await?;
            Ok::<_, BoxError>(name.clone())
        })
        .await?;
        step!("insert", key = name, {
            publish!("count", done)?;
            app.insert(name).await
        })
        .await?;
        done += text.len();
    }
    let publish = |n: u32| publish!("last", n);
    publish(7)?;
    Ok(7)
}

/// Returns its argument, of any type.
struct Own;

impl<T> durable::Codec<T> for Own
where
    durable::Json: durable::Codec<T>,
{
    fn name(&self) -> &'static str {
        "own"
    }
    fn encode(&self, value: &T) -> Result<Vec<u8>, BoxError> {
        durable::Json.encode(value)
    }
    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError> {
        durable::Json.decode(bytes)
    }
}

struct Line;

impl durable::Codec<BatchResult<String>> for Line {
    fn name(&self) -> &'static str {
        "line"
    }
    fn encode(&self, result: &BatchResult<String>) -> Result<Vec<u8>, BoxError> {
        let values: Vec<&str> = result.values().map(|value| &**value).collect();
        Ok(values.join(",").into_bytes())
    }
    fn decode(&self, bytes: &[u8]) -> Result<BatchResult<String>, BoxError> {
        let values = std::str::from_utf8(bytes)?.split(',').map(str::to_owned);
        Ok(BatchResult::of_values(values))
    }
}

#[durable]
async fn options(app: &App, job: Job) -> Result<Vec<String>, BoxError> {
    let mut all = Vec::new();
    for row in &job {
        let far: String = invoke!(
            "far",
            key = row,
            function = &app.db,
            tenant = row,
            codec = Own,
            input_codec = Own,
            row.clone()
        )
        .await?;
        let none: () = invoke!("none", key = row, function = format!("{row}:live")).await?;
        let text: String =
            invoke!("text", key = row, function = "known", "input".to_owned()).await?;
        let typed = invoke!(
            "typed",
            key = row,
            tenant = row.as_str(),
            codec = Own,
            waiting(Vec::new())
        )
        .await?;
        let polled: u32 = poll!(
            "polled",
            key = row,
            every = 2.minutes(),
            state = row.clone(),
            codec = Own,
            state_codec = durable::Text,
            |seen| {
                let inserted = app.insert(&seen).await?;
                Ok(if inserted > 3 {
                    ControlFlow::Break(inserted)
                } else {
                    ControlFlow::Continue(seen)
                })
            }
        )
        .await?;
        let asked: String = callback!(
            "asked",
            key = row,
            codec = durable::Text,
            label = row,
            retry = Retry::none(),
            submit = |id| {
                app.insert(id).await?;
                app.insert(row).await?;
                Ok(())
            }
        )
        .await?;
        all.extend([far, text, asked, (typed + polled).to_string()]);
        let () = none;
    }
    let lines = map!(
        "lines",
        &job,
        key = |row| row,
        label = job.len(),
        item_label = |row| format!("row {row}"),
        codec = durable::Text,
        result_codec = Line,
        |row| { Ok(row.clone()) }
    );
    let named = parallel!("named", job.clone(), item_label = |row| row, |row| {
        Ok(row)
    });
    let both = parallel!("both", result_codec = Line, codec = durable::Text, {
        "mail" => { Ok("a".to_owned()) }
        "post" => { Ok("b".to_owned()) }
    });
    let (lines, named, both) = futures::join!(lines, named, both);
    all.extend(
        lines
            .into_values()?
            .into_iter()
            .chain(named.into_values()?)
            .chain(both.into_values()?),
    );
    Ok(all)
}

#[durable]
async fn branching(app: &App, job: Job) -> Result<u32, BoxError> {
    let mut total = 0;
    let doubled = map!(
        "double",
        &job,
        key = |row| row,
        concurrency = 2,
        complete = Complete::all(),
        |row| {
            let inserted = step!(app.insert(row).await).await?;
            for n in 0..2 {
                wait!(Duration::from_secs(n)).await;
            }
            Ok(inserted * 2)
        }
    )
    .await;
    total += doubled.values().sum::<u32>();
    let owned = map!("owned", job.clone(), flat, |row| {
        step!("insert", app.insert(&row).await).await
    });
    let pairs = map!(
        "pairs",
        job.iter().enumerate(),
        key = |pair| (pair.0, pair.1),
        |(n, row)| {
            let nested = map!("nested", 0..n, |m| { Ok(m + row.len()) }).await;
            Ok(nested.into_values()?.len() as u32)
        }
    );
    let (owned, pairs) = futures::join!(owned, pairs);
    total += owned.into_values()?.len() as u32 + pairs.into_values()?.iter().sum::<u32>();
    for row in &job {
        let both = parallel!("both", key = row, flat, {
            "mail" => { step!("insert", app.insert(row).await).await }
            "post" => {
                wait!(Duration::from_secs(2)).await;
                step!("insert", app.insert(row).await).await
            },
        });
        total += both.await.into_values()?.len() as u32;
        let loops = map!("looped", 0..2, ordered, |n| {
            step!(app.insert(row).await).await.map(|m| m + n)
        });
        total += loops.await.into_values()?[0];
        let rival = callback!("rival", key = row);
        let won: Result<u32, BoxError> = race!("race", key = row, {
            "rival" => answer = rival => answer.map_err(Into::into),
            "step" => inserted = step!("insert", app.insert(row).await) => {
                let again = step!("again", key = row, app.insert(row).await).await;
                Ok(inserted.unwrap_or(0) + again.unwrap_or(0))
            }
            "late" => wait!(Duration::from_secs(60)) => Ok(total),
        })
        .await;
        total = won?;
    }
    let sums = batches!(
        "load",
        job,
        target = Duration::from_secs(1),
        max = 100,
        |batch| {
            let mut sum = 0;
            for row in batch {
                sum += app.insert(row).await?;
            }
            Ok(sum)
        }
    );
    total += sums.await?.iter().sum::<u32>();
    let borrowed = &job;
    total += batches!("plain", borrowed, |rows| app.insert(&rows[0]).await).await?[0];
    Ok(total)
}

#[durable]
async fn undoing(app: &App, job: Job) -> Result<u32, BoxError> {
    let mut total = 0;
    for row in &job {
        let name = row.clone();
        total += step!(
            "insert",
            key = row,
            undo = |value: u32| app.insert(&format!("{name}{value}")).await.map(drop),
            app.insert(row).await
        )
        .await?;
        total += scope!("scope", key = row, {
            step!(
                undo = |value| {
                    app.insert("row").await?;
                    let _: u32 = value;
                    Ok(())
                },
                app.insert(row).await
            )
            .await?;
            call!(waiting(Vec::new())).await
        })
        .await?;
    }
    let seats = map!("seats", &job, |row| {
        step!(undo = |_seat| Ok(()), app.insert(row).await).await
    });
    Ok(total + seats.await.into_values()?.len() as u32)
}

#[durable]
async fn stateless(rows: Job) -> Result<u32, BoxError> {
    let sizes = map!("sizes", &rows, |row| {
        step!("size", undo = |_size| Ok(()), Ok(row.len() as u32)).await
    });
    let ok = step!("ok", if rows.is_empty() { Ok(1) } else { Ok(2) }).await?;
    invoke!(plain()).await?;
    scope!("called", { Ok(call!(plain()).await?) }).await?;
    Ok(sizes.await.into_values()?.iter().sum::<u32>() + ok)
}

#[durable]
async fn plain() -> Result<(), BoxError> {
    Ok(())
}

fn is_send(_: impl Send) {}

fn run<H: durable::Handler<App, Input = Job>>(_: fn() -> H, cx: &durable::Context, app: &App) {
    is_send(H::run(
        cx,
        app,
        &durable::__private::Undo::default(),
        Job::new(),
    ));
}

#[test]
fn compiles() {
    let _ = |cx: &durable::Context, app: &App| {
        run(waiting, cx, app);
        run(starting, cx, app);
        run(publishing, cx, app);
        run(options, cx, app);
        run(branching, cx, app);
        run(undoing, cx, app);
        run(stateless, cx, app);
    };
    use durable::Durable;
    fn manifest<H: Durable>(_: fn() -> H) -> &'static durable::Manifest {
        H::manifest()
    }
    let sites = &manifest(undoing).sites;
    let of = |name: &str| sites.iter().find(|site| site.name == name).unwrap();
    assert!(of("scope").undoes && of("seats").undoes && of("item").undoes && !of("insert").undoes);
    assert_eq!(sites[1].name, "undo");
    assert_eq!(sites[1].within, Some(0));
    let asking = &manifest(options).sites;
    let at = asking.iter().position(|site| site.name == "asked").unwrap();
    let kinds: Vec<_> = asking[at..at + 3]
        .iter()
        .map(|site| (site.kind.as_str(), site.name, site.within))
        .collect();
    assert_eq!(kinds[0], ("wait_for_callback", "asked", None));
    assert_eq!(
        kinds[1..],
        [
            ("callback", "callback", Some(at)),
            ("step", "submit", Some(at))
        ]
    );
    let calling = &manifest(stateless).sites;
    assert!(
        calling
            .iter()
            .any(|site| site.name == "called" && site.undoes)
    );
}
