//! Hazards: clocks, random numbers, files and others.

use super::{assert_accepted, assert_codes, assert_refused};

#[test]
fn hazards_are_seen_outside_of_bodies_only() {
    assert_codes([
        ("let now = chrono::Utc::now();", &["D001"][..]),
        ("let now = record!(chrono::Utc::now()).await;", &[]),
        (
            "step!(\"a\", { std::fs::read(env::var(\"x\")?) }).await?;",
            &[],
        ),
        (
            "step!(\"a\", key = Uuid::new_v4(), work()).await?;",
            &["D002"],
        ),
        ("scope!(\"a\", { Ok(rand::random()) }).await?;", &["D002"]),
        ("println!(\"{}\", std::env::var(\"x\")?);", &["D003"]),
        ("fn helper() { std::env::var(\"x\"); }", &[]),
        ("tokio::task::spawn_blocking(|| 1).await?;", &["D004"]),
        (
            "tokio::time::timeout(limit, step!(work().await)).await?;",
            &["D005"],
        ),
        ("let sleep = 5; sleep(sleep);", &[]),
        ("futures::select! { a = b => {} };", &["D006"]),
        ("reqwest::get(url).await?;", &["D007"]),
        (
            "let mut n = 1; record!(\"a\", { n = 2; n }).await;",
            &["D008"],
        ),
        (
            "let mut n = 1; step!(\"a\", { let mut n = n; n += 1; work(&mut n) }).await?;",
            &[],
        ),
        (
            "let m: HashMap<u8, u8> = x; for a in m.keys() { wait!(d).await; }",
            &["D009"],
        ),
        (
            "let m = HashMap::new(); for a in m.keys() { other(a); }",
            &[],
        ),
        (
            "let m = HashMap::new(); for a in sorted(&m) { step!(key = a, w()).await?; }",
            &[],
        ),
    ]);
}

/// A macro does not see imports, so functions are recognized without a path unless their names are common.
#[test]
fn imported_functions_are_recognized() {
    assert_refused(
        "D001",
        &[
            "let now = Instant::now();",
            "let now = Zoned::now();",
            "let now = Local::now();",
        ],
    );
    assert_refused(
        "D002",
        &[
            "let n: u32 = random();",
            "let n = random::<u32>();",
            "let n = random_range(1..7);",
            "let mut rng = rng();",
            "let mut rng = thread_rng();",
            "let id = Uuid::new_v4();",
            "let n = OsRng.next_u64();",
            "let mut rng = StdRng::from_os_rng();",
        ],
    );
    assert_refused(
        "D003",
        &[
            "let home = var(\"HOME\")?;",
            "let folder = current_dir()?;",
            "let id = std::process::id();",
        ],
    );
    assert_refused(
        "D005",
        &[
            "timeout(limit, step!(work().await)).await??;",
            "let work = step!(work().await); timeout(limit, work).await??;",
            "let limited = timeout_at(then, step!(work().await)); limited.await??;",
            "let all = xs.iter().map(|x| step!(key = x, work(x).await)); timeout(limit, join_all(all)).await?;",
            "step!(work().await).timeout(limit).await??;",
            "sleep(limit).await;",
            "let nap = sleep(limit); nap.await;",
            "let mut ticks = tokio::time::interval(limit); ticks.tick().await;",
            "tokio::join!(tokio::time::sleep(limit), step!(work().await));",
        ],
    );
    assert_refused(
        "D006",
        &[
            "select(step!(\"a\", a().await), step!(\"b\", b().await)).await;",
            "let all = xs.iter().map(|x| step!(key = x, work(x).await)).collect::<FuturesUnordered<_>>();",
            "let all: FuturesUnordered<_> = xs.iter().map(|x| step!(key = x, work(x).await)).collect();",
            "let mut all: FuturesUnordered<_> = FuturesUnordered::new(); all.push(step!(work().await)); all.next().await;",
            "race(step!(\"a\", a().await), step!(\"b\", b().await)).await;",
            "let now = step!(work().await).now_or_never();",
        ],
    );
    assert_refused(
        "D007",
        &[
            "let text = read_to_string(path)?;",
            "let line = stdin().lines().next();",
            "let page = ureq::get(url).call()?;",
            "let stream = TcpStream::connect(address).await?;",
        ],
    );
}

#[test]
fn functions_with_similar_names_are_accepted() {
    assert_accepted(&[
        "let limit = timeout(5);",
        "let limit = timeout(&job, 5);",
        "fn sleep(n: u8) -> u8 { n } sleep(1);",
        "fn timeout(a: u8, b: u8) {} let f = step!(work().await); timeout(1, f); f.await?;",
        "let sleep = |n| n + 1; sleep(1);",
        "let pause = interval(3); wait!(pause).await;",
        "let spread = var(&samples);",
        "let n = random(job.seed);",
        "let choice = select(&rows, 3);",
        "let first = rows.first().or(other);",
    ]);
}

#[test]
fn commands_of_processes_are_refused() {
    assert_refused(
        "D007",
        &[
            "std::process::Command::new(program).output()?;",
            "process::Command::new(\"ls\").arg(\"-l\").status()?;",
            "tokio::process::Command::new(\"ls\").output().await?;",
            "Command::new(\"ls\").arg(\"-l\").output()?;",
            "Command::new(program).arg(\"-l\").output()?;",
            "let mut list = Command::new(program);",
            "let child = Command::new(\"ls\").spawn()?;",
        ],
    );
    assert_accepted(&[
        "step!(\"ls\", std::process::Command::new(\"ls\").output()).await?;",
        "step!(\"ls\", { Command::new(\"ls\").arg(\"-l\").output().await }).await?;",
        "let command = Command::new(order); step!(send(command).await).await?;",
        "let command = process::Command::Start;",
    ]);
}

#[test]
fn shared_memory_is_refused() {
    assert_refused(
        "D023",
        &[
            "COUNTER.fetch_add(1, Ordering::SeqCst);",
            "let n = app.runs.fetch_add(1, Relaxed);",
            "let n = app.runs.load(atomic::Ordering::Acquire);",
            "self::COUNTER.store(1, Ordering::Release);",
            "app.runs.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).ok();",
            "let n = CACHE.lock().unwrap().len();",
            "let n = CACHE.read().unwrap().len();",
            "let guard = CACHE.lock().await;",
            "DEPTH.with_borrow_mut(|depth| *depth += 1);",
            "scope!(\"a\", { COUNTER.fetch_add(1, Ordering::SeqCst); step!(work().await).await }).await?;",
        ],
    );
    assert_accepted(&[
        "step!(\"a\", { COUNTER.fetch_add(1, Ordering::SeqCst); work().await }).await?;",
        "record!(\"runs\", app.runs.load(Ordering::SeqCst)).await;",
        "let done = AtomicU32::new(0); done.fetch_add(1, Ordering::SeqCst);",
        "let done = Arc::new(AtomicU32::new(0)); let same = Arc::clone(&done); same.load(Ordering::SeqCst);",
        "let row = table.load(Order::Ascending);",
        "let order = a.cmp(&b) == Ordering::Less;",
        "let n = SIZES.get(0);",
        "#[durable(allow(D023))] METRICS.fetch_add(1, Ordering::Relaxed);",
    ]);
}
