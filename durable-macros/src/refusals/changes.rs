//! Changes of locals in bodies that a replay skips.

use super::{assert_accepted, assert_refused};

/// `before`, followed by each kind of body that a replay skips, with `code` in it.
fn in_bodies(before: &str, code: &str) -> Vec<String> {
    [
        format!("step!(\"a\", {{ {code} work().await }}).await?;"),
        format!("record!(\"a\", {{ {code} 1 }}).await;"),
        format!("poll!(\"a\", every = pause, {{ {code} check().await }}).await?;"),
        format!("scope!(\"a\", {{ {code} step!(work().await).await }}).await?;"),
        format!("map!(\"a\", xs, |x| {{ {code} step!(work(x).await).await }}).await;"),
        format!("parallel!(\"a\", {{ \"b\" => {{ {code} Ok(1) }} }}).await;"),
        format!("batches!(\"a\", xs, |xs| {{ {code} insert(xs).await }}).await?;"),
        format!("callback!(\"a\", submit = |id| {{ {code} mail(id).await }}).await?;"),
        format!("step!(\"a\", undo = |a| {{ {code} cancel(a).await }}, work().await).await?;"),
    ]
    .into_iter()
    .map(|body| format!("{before} {body}"))
    .collect()
}

#[test]
fn methods_that_change_a_container_are_refused_in_every_body() {
    let bodies = in_bodies("let mut out = Vec::new();", "out.push(1);");
    assert_refused(
        "D008",
        &bodies.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

/// `before`, followed by a step with `code` in its body.
fn in_step((before, code): &(&str, &str)) -> String {
    format!("{before} step!(\"a\", {{ {code} work().await }}).await?;")
}

fn assert_refused_in_step(bodies: &[(&str, &str)]) {
    let bodies: Vec<String> = bodies.iter().map(in_step).collect();
    assert_refused(
        "D008",
        &bodies.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

fn assert_accepted_in_step(bodies: &[(&str, &str)]) {
    let bodies: Vec<String> = bodies.iter().map(in_step).collect();
    assert_accepted(&bodies.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn containers_are_recognized_by_their_declaration() {
    assert_refused_in_step(&[
        ("let mut v = Vec::new();", "v.push(1);"),
        ("let mut v = Vec::with_capacity(9);", "let last = v.pop();"),
        ("let mut v = vec![1];", "v.clear();"),
        ("let mut v: Vec<u32> = load();", "let last = v.pop();"),
        ("let mut v: std::vec::Vec<u32>;", "v.push(1);"),
        ("let mut v = [3, 1];", "v.sort();"),
        (
            "let mut v = rows.iter().collect::<Vec<_>>();",
            "v.reverse();",
        ),
        ("let mut v = rows.to_vec();", "v.insert(0, 1);"),
        (
            "let mut q = VecDeque::from([1]);",
            "let first = q.pop_front();",
        ),
        ("let mut m = HashMap::new();", "let old = m.insert(1, 2);"),
        (
            "let mut m = BTreeMap::new();",
            "*m.entry(1).or_insert(0) += 1;",
        ),
        (
            "let mut m = BTreeMap::new();",
            "m.get_mut(&1).unwrap().push(1);",
        ),
        ("let mut s = BTreeSet::default();", "let new = s.insert(1);"),
        ("let mut s = HashSet::<u8>::new();", "s.extend([1]);"),
        ("let mut s = String::new();", "s.push_str(\"a\");"),
        ("let mut s = format!(\"{n}\");", "s.push('a');"),
        ("let mut s = \"a\".to_string();", "s.push('a');"),
        ("let mut s = String::new();", "write!(s, \"{n}\").unwrap();"),
        (
            "let mut s = String::new();",
            "writeln!(&mut s, \"{n}\").unwrap();",
        ),
        ("let mut o = None;", "o.replace(1);"),
        ("let mut o = Some(1);", "let n = o.take();"),
        ("let mut o: Option<u32> = load();", "o.get_or_insert(1);"),
        ("let mut v = Vec::new(); let w = &mut v;", "w.push(1);"),
        ("let (mut v, n) = (Vec::new(), 1);", "v.push(n);"),
        (
            "let mut v = Vec::new(); let mut w = v.clone();",
            "w.push(1);",
        ),
        ("let mut rows = rows.iter();", "let row = rows.next();"),
        (
            "let mut lines = text.chars().peekable();",
            "let line = lines.next();",
        ),
    ]);
}

#[test]
fn changes_through_locks_and_cells_are_refused() {
    assert_refused_in_step(&[
        (
            "let v = Mutex::new(Vec::new());",
            "v.lock().unwrap().push(1);",
        ),
        (
            "let v = Arc::new(Mutex::new(vec![1]));",
            "let last = v.lock().unwrap().pop();",
        ),
        (
            "let v = Arc::new(Mutex::new(vec![1])); let w = Arc::clone(&v);",
            "w.lock().unwrap().push(1);",
        ),
        (
            "let v = Arc::new(Mutex::new(vec![1])); let w = v.clone();",
            "w.lock().unwrap().push(1);",
        ),
        (
            "let v = tokio::sync::Mutex::new(Vec::new());",
            "v.lock().await.push(1);",
        ),
        (
            "let v = RwLock::new(HashMap::new());",
            "v.write().unwrap().insert(1, 2);",
        ),
        (
            "let v = RefCell::new(Vec::new());",
            "v.borrow_mut().push(1);",
        ),
        (
            "let v = Mutex::new(Vec::new());",
            "let mut w = v.lock().unwrap(); w.push(1);",
        ),
        ("let n = Mutex::new(0);", "*n.lock().unwrap() += 1;"),
        ("let n = Mutex::new(0);", "*n.lock().unwrap() = 1;"),
        (
            "let n = Mutex::new(0);",
            "let mut m = n.lock().unwrap(); *m += 1;",
        ),
        ("let n = Cell::new(0);", "n.set(1);"),
        ("let n = Cell::new(0);", "let old = n.replace(1);"),
        (
            "let n = AtomicU32::new(0);",
            "n.fetch_add(1, Ordering::SeqCst);",
        ),
        (
            "let n = AtomicU32::new(0);",
            "n.store(1, Ordering::SeqCst);",
        ),
    ]);
}

#[test]
fn unknown_types_are_refused_if_the_method_is_unambiguous() {
    assert_refused_in_step(&[
        ("let mut all = Totals::default();", "all.items.push(1);"),
        (
            "let mut all = Totals::default();",
            "all.names.insert(1, 2);",
        ),
        ("let mut all = load();", "all.push_str(\"a\");"),
        ("let mut all = vec![vec![]];", "all[0].push(1);"),
        ("let mut all = load();", "if n > 1 { all.push(1) }"),
        ("let mut all = load();", "for n in 0..3 { all.push(n) }"),
        (
            "let mut all = load();",
            "for n in all.iter_mut() { *n += 1; }",
        ),
        (
            "let mut rows = step!(\"b\", load().await).await?;",
            "rows.push(1);",
        ),
        (
            "let mut rows = step!(\"b\", load().await).await?;",
            "rows.sort();",
        ),
    ]);
}

#[test]
fn a_local_of_the_body_may_change() {
    assert_accepted_in_step(&[
        ("", "let mut v = Vec::new(); v.push(1);"),
        ("let v = vec![1];", "let mut v = v.clone(); v.push(1);"),
        ("let mut v = vec![1]; v.push(1);", "let n = v.len();"),
        (
            "let mut v = vec![1];",
            "let w = v.iter().map(|n| n + 1); work(w);",
        ),
        (
            "let mut v = vec![1];",
            "let add = |mut v: Vec<u8>| v.push(1); add(Vec::new());",
        ),
        ("let mut v = vec![1];", "for mut v in lists { v.push(1); }"),
        (
            "let mut v = vec![1];",
            "if let Some(mut v) = found { v.push(1); }",
        ),
        (
            "let mut v = vec![1];",
            "match found { Some(mut v) => { v.push(1); } None => {} }",
        ),
        ("let mut n = 1;", "{ let mut n = 2; n += 1; }"),
        (
            "let mut v = vec![1];",
            "fn add(v: &mut Vec<u8>) { v.push(1); }",
        ),
        (
            "let mut v = vec![1];",
            "let first = v.first(); let s = text.replace(\"a\", \"b\");",
        ),
        (
            "let mut v = vec![1];",
            "println!(\"{name}\", name = v.len());",
        ),
        (
            "let v = Mutex::new(vec![1]);",
            "let n = v.lock().unwrap().len();",
        ),
        (
            "let n = AtomicU32::new(0);",
            "let m = n.load(Ordering::SeqCst);",
        ),
        (
            "let text = String::new();",
            "let t = text.replace(\"a\", \"b\");",
        ),
        ("let rows = vec![1];", "let some = rows.iter().take(3);"),
    ]);
    assert_accepted(&[
        "let mut out = Vec::new(); out.push(step!(work().await).await?);",
        "let mut v = vec![1]; map!(\"a\", lists, |mut v| { v.push(1); Ok(v) }).await;",
        "let mut v = vec![1]; poll!(\"a\", every = pause, state = vec![], |mut v| { v.push(1); check(v).await }).await?;",
        "let v = Mutex::new(Vec::new()); v.lock().unwrap().push(step!(work().await).await?);",
        "let mut n = 0; map!(\"a\", items, key = |n| n.id, |item| { step!(work(item).await).await }).await;",
    ]);
}

/// Changing the shared state is an effect like any other.
#[test]
fn the_shared_state_may_change() {
    assert_accepted_in_step(&[
        ("", "app.log.lock().unwrap().push(1);"),
        ("", "app.seen.fetch_add(1, Ordering::SeqCst);"),
        ("let log = app.log.clone();", "log.lock().unwrap().push(1);"),
        (
            "let log = Arc::clone(&app.log);",
            "log.lock().unwrap().push(1);",
        ),
        ("let log = &app.log;", "log.lock().unwrap().push(1);"),
    ]);
}

#[test]
fn methods_of_handles_are_accepted() {
    assert_accepted_in_step(&[
        ("let db = Db::open();", "db.insert(row).await?;"),
        ("let mut db = Db::open();", "db.insert(row).await?;"),
        ("let mut db = Db::open();", "db.insert(row)?;"),
        ("let mut db = Db::open();", "let id = db.insert(row);"),
        ("let mut queue = app.queue();", "queue.push(job).await?;"),
        (
            "let mut tx = app.sender();",
            "tx.send(1).await?; tx.send(2)?;",
        ),
        ("let queue = app.queue();", "queue.push(job);"),
        (
            "let mut stream = app.stream();",
            "let next = stream.next().await;",
        ),
        (
            "let mut conns: Vec<Db> = load();",
            "conns[0].insert(row).await?;",
        ),
        (
            "let db = Mutex::new(Db::open());",
            "db.lock().await.insert(row).await?;",
        ),
        ("let mut reader = open();", "let line = reader.take(3);"),
        ("let mut file = open();", "write!(file, \"{n}\")?;"),
    ]);
    assert_accepted(&[
        "let mut db = Db::open(); step!(db.insert(row).await).await?;",
        "let mut db = Db::open(); step!(db.insert(row)).await?;",
        "let mut queue = app.queue(); step!(queue.push(job).await).await?;",
    ]);
}

#[test]
fn a_change_can_be_allowed() {
    assert_accepted(&[
        "let mut v = Vec::new(); #[durable(allow(D008))] step!(\"a\", { v.push(1); work().await }).await?;",
        "let mut v = Vec::new(); step!(\"a\", { #[durable(allow(D008))] v.push(1); work().await }).await?;",
    ]);
}

#[test]
fn the_input_is_a_local() {
    assert_refused(
        "D008",
        &[
            "let mut job = job; step!(\"a\", { job.items.push(1); work().await }).await?;",
            "step!(\"a\", { job.count += 1; work().await }).await?;",
        ],
    );
}
