//! Awaits of futures that are not durable calls.

use super::{assert_accepted, assert_codes, assert_refused};

#[test]
fn awaits_of_other_futures_are_refused() {
    assert_refused(
        "D022",
        &[
            "app.http.get(url).await?;",
            "rx.recv().await;",
            "let rows = app.pool.fetch(\"select\").await?;",
            "let body = app.http.get(url).send().await?.text().await?;",
            "work(&job).await?;",
            "let answer = work(&job); answer.await?;",
            "let both = join_all(urls.iter().map(|url| app.http.get(url))); both.await;",
            "let fetch = |url| async move { app.http.get(url).await }; fetch(1).await?; fetch(2).await?;",
            "let fetch = async |url| app.http.get(url).await; fetch(1).await?;",
            "join_all(urls.iter().map(|url| async move { app.http.get(url).await })).await;",
            "let mut rows = stream::iter(urls).then(|url| async move { app.http.get(url).await }); rows.next().await;",
            "if app.is_ready().await { wait!(pause).await; }",
            "while let Some(row) = rx.recv().await { step!(key = row.id, work(row).await).await?; }",
            "match rx.recv().await { Some(_) => {} None => {} }",
            "for row in app.rows().await? { step!(key = row.id, work(row).await).await?; }",
            "let _guard = app.lock.lock().await;",
            "tx.send(1).await?;",
            "JOBS.next().await;",
            "do_it!(now).await;",
            "step!(key = app.key().await, work().await).await?;",
            "wait!(app.pause().await).await;",
            "call!(other(app.input().await)).await?;",
            "map!(\"all\", app.items().await, |item| { step!(work(item).await).await }).await;",
            "return work().await;",
            "println!(\"{}\", work().await);",
            "tokio::join!(app.http.get(url), step!(work().await));",
            "futures::try_join!(step!(work().await), app.http.get(url))?;",
            "join!(fetch(url), step!(work().await));",
            "race!(\"first\", { \"in\" => rx.recv() => 1, \"late\" => wait!(pause) => 2 }).await;",
            "race!(\"first\", { \"in\" => step!(work().await) => app.note().await, \"late\" => wait!(pause) => 2 }).await;",
            "std::future::poll_fn(|cx| app.poll(cx)).await;",
            "let page = futures::executor::block_on(app.http.get(url))?;",
        ],
    );
}

/// The value of a durable call is not a durable call, and neither is a future that is made from it.
#[test]
fn values_of_durable_calls_are_not_durable() {
    assert_refused(
        "D022",
        &[
            "let url = step!(find(1).await).await?; app.http.get(url).await?;",
            "app.http.get(step!(find(1).await).await?).await?;",
            "let all = join_all(xs.iter().map(|x| step!(key = x, work(x).await))).await; app.save(all).await?;",
            "for url in step!(find(1).await).await? { app.http.get(url).await?; }",
            "if let Some(url) = step!(find(1).await).await? { app.http.get(url).await?; }",
            "match step!(find(1).await).await? { Ok(url) | Err(url) => app.http.get(url).await?, };",
            "let id = callback!(\"a\").id().await; app.mail(id).await?;",
            "let info = execution!(); app.http.get(info.id()).await?;",
            "app.http.get(execution!().id()).await?;",
            "let done = map!(\"all\", urls, |url| { step!(work(url).await).await }).await; app.save(done).await?;",
            "let n = step!(find(1).await).await? + 1; app.http.get(n).await?;",
            "let f = step!(find(1).await); let f = f.await?; app.http.get(f).await?;",
            "let mut last = 0; last = step!(find(1).await).await?; app.http.get(last).await?;",
            "xs.iter().map(|x| step!(key = x, work(x).await)); app.http.get(xs[0]).await?;",
            "let fs = vec![step!(work().await)]; app.http.get(fs.len()).await?;",
            "if let Some(f) = fs.pop() { let g = step!(work().await); g.await?; } else { f.await?; }",
            "{ let f = step!(work().await); f.await?; } f.await?;",
        ],
    );
}

#[test]
fn one_mistake_is_one_error() {
    assert_codes([
        (
            "app.http.get(url).send().await?.error()?.text().await?;",
            &["D022"][..],
        ),
        ("app.save(app.load().await?).await?;", &["D022"]),
        (
            "let a = app.load().await?; app.save(a).await?;",
            &["D022", "D022"],
        ),
        ("tokio::time::sleep(pause).await;", &["D005"]),
        (
            "tokio::spawn(async { app.load().await }).await?;",
            &["D004"],
        ),
        (
            "let task = tokio::spawn(app.load()); task.await?;",
            &["D004"],
        ),
        ("tokio::fs::read(path).await?;", &["D007"]),
        (
            "tokio::select! { a = app.load() => a, b = app.save() => b };",
            &["D006"],
        ),
        (
            "let load = async { app.load().await }; load.await?;",
            &["D022"],
        ),
        (
            "fn nested() { step!(work().await).await; } nested().await;",
            &["D018"],
        ),
        (
            "step!(work()).await?; step!(outer(step!(\"inner\", work().await).await)).await?;",
            &["D017"],
        ),
        ("step!(work().await)?;", &["D020"]),
        (
            "tokio::time::timeout(limit, app.load()).await??;",
            &["D005"],
        ),
        (
            "tokio::time::timeout(limit, async { app.load().await }).await??;",
            &["D005"],
        ),
        (
            "timeout(limit, async { app.load().await }).await??;",
            &["D022"],
        ),
        (
            "step!(work().await).await?; app.note(Utc::now()).await?;",
            &["D001", "D022"],
        ),
    ]);
}

#[test]
fn durable_calls_are_awaited_directly_and_in_combinators() {
    assert_accepted(&[
        "step!(work().await).await?;",
        "durable::step!(work().await).await?;",
        "join_all(xs.iter().map(|x| step!(key = x, work(x).await))).await;",
        "try_join_all(xs.iter().map(|x| async move { step!(key = x, work(x).await).await })).await?;",
        "tokio::join!(step!(a().await), step!(b().await));",
        "futures::join!(step!(a().await), async { step!(b().await).await });",
        "let (a, b) = try_join!(step!(a().await), step!(b().await))?;",
        "futures::future::join(step!(a().await), step!(b().await)).await;",
        "(step!(a().await), step!(b().await)).join().await;",
        "async { step!(work().await).await }.await?;",
        "async move { 1 }.await;",
        "(async || step!(key = 1, work().await).await)().await?;",
        "Box::pin(step!(work().await)).await?;",
        "pin!(step!(work().await)).await?;",
        "step!(work().await).map(|done| done.is_ok()).await;",
        "(if quick { step!(\"a\", a().await) } else { step!(\"b\", b().await) }).await?;",
        "match kind { 1 => step!(\"a\", a().await), _ => step!(\"b\", b().await) }.await?;",
        "callback!(\"answer\").id().await;",
        "call!(other(job)).await?;",
        "invoke!(\"child\", other(job)).await?;",
        "with_log(step!(work().await)).await?;",
        "retry(|| step!(\"a\", key = 1, work().await)).await?;",
        "stream::iter(xs).then(|x| step!(key = x, work(x).await)).collect::<Vec<_>>().await;",
        "stream::iter(xs).map(|x| step!(key = x, work(x).await)).buffered(4).try_collect::<Vec<_>>().await?;",
        "together!(a => step!(work().await)).await?;",
        "race!(\"first\", { \"in\" => callback!(\"in\") => 1, \"late\" => wait!(pause) => 2 }).await;",
        "race!(\"first\", { \"in\" => async { step!(work().await).await } => 1, \"late\" => wait!(pause) => 2 }).await;",
    ]);
}

#[test]
fn durable_calls_are_awaited_through_locals() {
    assert_accepted(&[
        "let f = step!(work().await); f.await?;",
        "let f = step!(work().await); let g = Box::pin(f); g.await?;",
        "let mut f = pin!(step!(work().await)); f.as_mut().await?;",
        "let f = step!(work().await); tokio::pin!(f); (&mut f).await?;",
        "let f = step!(work().await).map(drop).boxed(); f.await;",
        "let (a, b) = (step!(\"a\", a().await), step!(\"b\", b().await)); a.await?; b.await?;",
        "let f; if quick { f = step!(\"a\", a().await); } else { f = step!(\"b\", b().await); } f.await?;",
        "let mut f = None; f = Some(step!(work().await)); if let Some(f) = f { f.await?; }",
        "let (mut a, mut b); (a, b) = (step!(\"a\", a().await), step!(\"b\", b().await)); a.await?; b.await?;",
        "let mut v = Vec::new(); v.push(step!(work().await)); join_all(v).await;",
        "let mut v = Vec::new(); for x in xs { v.push(step!(key = x, move, work(x).await)); } for f in v { f.await?; }",
        "let v: Vec<_> = xs.iter().map(|x| step!(key = x, work(x).await)).collect(); join_all(v).await;",
        "let v: Vec<_> = xs.iter().map(|x| step!(key = x, work(x).await)).collect(); for f in v.into_iter().rev() { f.await?; }",
        "let mut v = all(); v.extend(xs.iter().map(|x| step!(key = x, work(x).await))); while let Some(f) = v.pop() { f.await?; }",
        "let v = xs.iter().map(|x| step!(key = x, work(x).await)); let mut w = Vec::new(); w.extend(v); join_all(w).await;",
        "let mut q = FuturesOrdered::new(); q.push_back(step!(work().await)); while let Some(done) = q.next().await {}",
        "let mut m = BTreeMap::new(); m.insert(1, step!(work().await)); m.remove(&1).unwrap().await?;",
        "let mut m = BTreeMap::new(); m.entry(1).or_insert_with(|| step!(\"a\", key = 1, work().await)).await?;",
        "let mut m = BTreeMap::new(); *m.entry(1).or_default() = Some(step!(work().await)); for (_, f) in m { f.unwrap().await?; }",
        "let mut slots = [None, None]; slots[0] = Some(step!(work().await)); slots[0].take().unwrap().await?;",
        "let mut slots = vec![None]; for slot in slots.iter_mut() { *slot = Some(step!(key = 1, work().await)); } for f in slots { f.unwrap().await?; }",
        "let mut slots = vec![None]; slots.iter_mut().for_each(|slot| *slot = Some(step!(key = 1, work().await))); join_all(slots).await;",
        "let mut v = Vec::new(); let all = &mut v; all.push(step!(work().await)); join_all(v).await;",
        "let mut v = Vec::new(); fill(&mut v, step!(work().await)); join_all(v).await;",
        "let cell = RefCell::new(Vec::new()); cell.borrow_mut().push(step!(work().await)); join_all(cell.into_inner()).await;",
        "let jobs = Jobs { a: step!(\"a\", a().await), b: step!(\"b\", b().await) }; jobs.a.await?; let Jobs { b, .. } = jobs; b.await?;",
        "let mut jobs = Jobs::default(); jobs.a = Some(step!(work().await)); jobs.a.unwrap().await?;",
        "let run = |x| step!(\"a\", key = x, work(x).await); run(1).await?;",
        "let run = |x| async move { step!(\"a\", key = x, work(x).await).await }; let again = |x| run(x); again(1).await?;",
        "let run = |x| { let f = step!(\"a\", key = x, work(x).await); f }; join_all(xs.into_iter().map(run)).await;",
        "let run = async |x: u32| step!(\"a\", key = x, work(x).await).await; run(1).await?;",
        "let wrap = |f| async move { f.await }; wrap(step!(work().await)).await?;",
        "let wrap = |f| async move { f.await }; let fs = vec![step!(work().await)]; join_all(fs.into_iter().map(wrap)).await;",
        "let fs = vec![step!(work().await)]; join_all(fs.into_iter().map(|f| async move { f.await })).await;",
        "let f = quick.then(|| step!(\"a\", key = 1, work().await)); if let Some(f) = f { f.await?; }",
        "let Some(f) = quick.then(|| step!(\"a\", key = 1, work().await)) else { return Ok(()) }; f.await?;",
        "let f = step!(work().await); match f { f if quick => f.await?, f => f.await? };",
        "let f = step!(work().await); let g = async { f.await }; g.await?;",
        "let f = 'a: { if quick { break 'a step!(\"a\", a().await); } step!(\"b\", b().await) }; f.await?;",
        "let f = loop { break step!(key = 1, work().await); }; f.await?;",
        "let mut next = None; loop { if let Some(f) = next.take() { f.await?; } next = Some(step!(key = 1, work().await)); }",
        "let f = step!(\"a\", a().await); let f = wrap(f); f.await?;",
        "let f = step!(\"a\", a().await); poll_fn(|cx| { let _ = f.as_mut().poll(cx); Poll::Ready(()) }).await;",
        "let f = step!(\"a\", a().await); together!(all => f).await?;",
        "let ask = callback!(\"answer\"); let id = ask.id().await; step!(work(id).await).await?; ask.await?;",
        "let handles: Vec<Pin<Box<dyn Future<Output = ()>>>> = vec![Box::pin(async {})]; for h in handles { h.await; }",
        "let mut f = first(); let old = std::mem::replace(&mut f, step!(work().await)); f.await?; old.await?;",
        "let f = step!(work().await); let far = race!(\"first\", { \"in\" => f => 1, \"late\" => wait!(pause) => 2 }).await;",
    ]);
}

#[test]
fn known_harmless_awaits_are_accepted() {
    assert_accepted(&[
        "tokio::task::yield_now().await;",
        "std::future::ready(1).await;",
        "futures::future::pending::<()>().await;",
        "let never = pending::<()>(); never.await;",
        "ready(1).await;",
    ]);
    assert_refused(
        "D022",
        &[
            "pending(&app).await?;",
            "app.ready(1).await?;",
            "service::ready(1).await?;",
        ],
    );
}

/// The outcome of a scope or branch is recorded. Without durable calls in it, it runs like a step.
#[test]
fn a_scope_without_durable_calls_is_recorded_as_a_whole() {
    assert_accepted(&[
        "scope!(\"a\", { work().await }).await?;",
        "map!(\"a\", xs, |x| { app.load(x).await }).await;",
        "parallel!(\"a\", { \"b\" => { app.load(1).await }, \"c\" => { app.load(2).await } }).await;",
    ]);
    assert_refused(
        "D022",
        &[
            "scope!(\"a\", { app.load(1).await?; step!(work().await).await }).await?;",
            "scope!(\"a\", { app.load(1).await?; scope!(\"b\", { work().await }).await }).await?;",
            "map!(\"a\", xs, |x| { step!(work().await).await?; app.load(x).await }).await;",
            "map!(\"a\", xs, flat, |x| { app.load(x).await }).await;",
        ],
    );
}

#[test]
fn awaits_in_bodies_and_nested_functions_are_accepted() {
    assert_accepted(&[
        "step!(app.http.get(url).await).await?;",
        "step!(\"a\", { let page = app.http.get(url).await?; app.save(page).await }).await?;",
        "record!(\"a\", app.now().await).await;",
        "poll!(\"a\", every = pause, |state| app.check(state).await).await?;",
        "batches!(\"a\", rows, |rows| app.insert(rows).await).await?;",
        "callback!(\"a\", submit = |id| app.mail(id).await).await?;",
        "step!(\"a\", undo = |seat| app.cancel(seat).await, app.book().await).await?;",
        "async fn helper() { other().await; } step!(helper().await).await?;",
    ]);
}

#[test]
fn awaits_can_be_allowed() {
    assert_accepted(&[
        "#[durable(allow(D022))] app.note().await;",
        "#[durable(allow(D022))] let page = app.http.get(url).await?.text().await?;",
        "#[durable(allow(D005))] tokio::time::sleep(pause).await;",
        "#[durable(allow(D006))] let first = futures::future::select(a, b).await;",
        "#[durable(allow(D004))] tokio::spawn(async { app.load().await }).await?;",
    ]);
}

#[test]
fn the_message_says_what_to_write() {
    let message = |body: &str| {
        let item = format!("async fn handler(app: &App) -> Result<(), BoxError> {{ {body} }}");
        let printed = crate::transform(proc_macro2::TokenStream::new(), item.parse().unwrap());
        // Printed tokens have more spaces than the source.
        printed.to_string().replace(' ', "")
    };
    for (body, advice) in [
        ("app.get(url).await?;", "`step!(app.get(url).await).await`"),
        ("rx.await?;", "`step!(\\\"name\\\",rx.await).await`"),
        (
            "for url in urls { app.get(url).await?; }",
            "`step!(key=…,app.get(url).await).await`",
        ),
        (
            "join!(app.get(url), step!(work().await));",
            "`step!(app.get(url).await)`",
        ),
        (
            "app.post(some_address_of_a_service).header(name, value).body(text_of_the_request).await?;",
            "`step!(body(…).await).await`",
        ),
        (
            "app.get(step!(find(1).await).await?).await?;",
            "`step!(get(…).await).await`",
        ),
    ] {
        assert!(message(body).contains(advice), "{body}: {}", message(body));
    }
}
