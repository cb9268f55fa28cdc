//! Snapshot tests of expansions, and limits on their length.

use proc_macro2::TokenStream;
use quote::quote;

use crate::refusals::codes as errors;
use crate::transform;

fn print(item: &TokenStream) -> String {
    let file = syn::parse2(transform(TokenStream::new(), item.clone())).unwrap();
    prettyplease::unparse(&file)
}

/// Compares the expansion with `src/snapshots/<name>.rs`. `UPDATE_SNAPSHOTS=1` overwrites that file.
fn assert_snapshot(name: &str, item: &TokenStream) {
    let path = format!("{}/src/snapshots/{name}.rs", env!("CARGO_MANIFEST_DIR"));
    let printed = print(item);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &printed).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        printed, expected,
        "{path}: run with UPDATE_SNAPSHOTS=1 to accept the new expansion"
    );
}

fn lines(text: &str) -> usize {
    text.lines().filter(|line| !line.trim().is_empty()).count()
}

#[test]
fn a_handler_with_state_and_input() {
    assert_snapshot(
        "handler",
        &quote! {
            /// Documented.
            #[allow(dead_code)]
            #[inline]
            pub async fn etl(app: &App, job: Job) -> Result<Summary, BoxError> {
                let rows = step!(read(&job.path).await).await?;
                for (n, batch) in rows.chunks(500).enumerate() {
                    step!("load", key = n, retry = Retry::none(), |step| insert(&app.db, batch, step).await).await?;
                    wait!("breathe", Duration::from_secs(1)).await;
                }
                Ok(Summary)
            }
        },
    );
}

#[test]
fn a_step_in_a_transaction() {
    assert_snapshot(
        "transaction",
        &quote! {
            async fn charge(app: &App, cents: i64) -> Result<i64, BoxError> {
                let paid = step!("charge", tx = &app.pool, retry = policy, |tx| pay(tx, cents).await).await?;
                Ok(paid)
            }
        },
    );
}

#[test]
fn every_form() {
    assert_snapshot(
        "forms",
        &quote! {
            async fn forms() -> Result<(), BoxError> {
                let id = record!(Uuid::new_v4()).await;
                wait!(until = time).await;
                scope!("part", key = (a, b), was = "old", {
                    step!("block", secret, {
                        first()?;
                        second().await
                    })
                    .await?;
                    step!("moving", move, codec = Shout, take(id).await).await
                })
                .await?;
                call!(other(execution!().id().to_string())).await?;
                join!(step!("joined", one().await), async { step!("nested", one().await).await });
                unknown_syntax!(=> step!("in tokens", one().await));
                Ok(())
            }
        },
    );
}

#[test]
fn every_operation() {
    assert_snapshot(
        "operations",
        &quote! {
            async fn operations(app: &App, job: Job) -> Result<(), BoxError> {
                step!("room", undo = |room| cancel(room).await, book().await).await?;
                poll!("ready", every = pause, state = 0, attempts = 9, |seen| check(seen).await).await?;
                let answer = callback!("answer", timeout = pause, submit = |id| mail(id).await);
                invoke!("child", key = app, child(job)).await?;
                invoke!("far", "function", 1).await?;
                map!("files", &files, key = |file| file.name, concurrency = 4, |file| {
                    step!(parse(file).await).await
                })
                .await;
                parallel!("both", flat, {
                    "mail" => { wait!(pause).await; Ok(1) }
                    "post" => { Ok(2) }
                })
                .await;
                race!("first", {
                    "answer" => value = answer => value,
                    "late" => wait!(pause) => none(),
                })
                .await;
                batches!("load", rows, max = 100, |rows| insert(rows).await).await?;
                continue_as!(job).await
            }
        },
    );
}

#[test]
fn errors_are_printed_in_place_of_a_site_or_beside_the_handler() {
    assert_snapshot(
        "errors",
        &quote! {
            async fn errors() -> Result<(), BoxError> {
                step!("same", one().await).await?;
                step!("same", one().await).await?;
                step!("outer", { step!("inner", one().await).await }).await?;
                Ok(())
            }
        },
    );
}

/// Limits the lines that a handler and each call site add to the plain function.
#[test]
fn the_expansion_is_short() {
    let with_sites = |count: usize| {
        let sites = (0..count).map(|n| {
            let name = format!("site {n}");
            quote!(step!(#name, work(n).await).await?;)
        });
        quote! {
            async fn handler(app: &App, n: u32) -> Result<(), BoxError> {
                #(#sites)*
                Ok(())
            }
        }
    };
    let added = |count: usize| {
        let plain = prettyplease::unparse(&syn::parse2(with_sites(count)).unwrap());
        lines(&print(&with_sites(count))) - lines(&plain)
    };
    let handler = added(0);
    let site = added(10) - added(9);
    assert!(handler <= 25, "a handler adds {handler} lines");
    assert!(site <= 12, "a call site adds {site} lines");
}

#[test]
fn malformed_call_sites_are_one_error_each() {
    for (body, code) in [
        ("step!().await?;", "D011"),
        ("step!(,).await?;", "D011"),
        ("step!(\"a\",).await?;", "D011"),
        ("step!(\"a\" work()).await?;", "D011"),
        ("step!(\"a\", key =).await?;", "D011"),
        ("step!(\"a\", key, work()).await?;", "D011"),
        ("step!(\"a\", was = old, work()).await?;", "D011"),
        ("step!(\"a\", |step).await?;", "D011"),
        ("step!(\"a\", |step|).await?;", "D011"),
        ("step!(move).await?;", "D011"),
        ("step!(work() work()).await?;", "D011"),
        ("step!(5).await?;", "D012"),
        ("step!(\"a\", work() + ).await?;", "D011"),
        ("record!().await;", "D011"),
        ("wait!().await;", "D011"),
        ("wait!(until = time, duration).await;", "D011"),
        ("wait!(until time).await;", "D011"),
        ("scope!(\"a\").await?;", "D011"),
        ("scope!(\"a\", work()).await?;", "D011"),
        ("call!().await?;", "D011"),
        ("call!(other).await?;", "D011"),
        ("call!(self.other()).await?;", "D011"),
        ("execution!(1);", "D011"),
        ("poll!(\"a\", every = pause).await?;", "D011"),
        ("poll!(\"a\", every = pause, |state).await?;", "D011"),
        ("callback!(\"a\", submit = |a, b| work()).await?;", "D011"),
        ("invoke!(\"a\").await?;", "D011"),
        ("continue_as!().await", "D011"),
        ("continue_as!(a, b).await", "D011"),
        ("map!(\"a\").await;", "D011"),
        ("map!(\"a\", items,).await;", "D011"),
        ("map!(\"a\", items, |a| ).await;", "D011"),
        ("batches!(\"a\", items, work()).await?;", "D011"),
        ("parallel!(\"a\").await;", "D011"),
        ("parallel!(\"a\", { b => { Ok(1) } }).await;", "D011"),
        ("parallel!(\"a\", { \"b\" { Ok(1) } }).await;", "D011"),
        (
            "race!(\"a\", { \"b\" => c => d \"e\" => f => g }).await;",
            "D011",
        ),
        ("race!(\"a\", { }).await;", "D011"),
        ("tokio::join!(step!(), other => x);", "D011"),
        ("if let Ok(_) = step!(a(), b()).await {}", "D011"),
    ] {
        assert_eq!(errors(body), [code], "{body}");
    }
}

#[test]
fn names_are_derived_from_the_awaited_call() {
    for (body, name) in [
        ("read(x).await", "read"),
        ("files::read(x).await", "read"),
        ("db.insert(x).await", "insert"),
        ("read(x).await.map_err(E::new)", "read"),
        ("client.get(url).send().await?.json().await", "json"),
        ("(read(x)).await", "read"),
        ("read(x).map_err(wrap)", "map_err"),
        ("r#match(x)", "match"),
    ] {
        let item =
            format!("async fn handler() -> Result<(), BoxError> {{ step!({body}).await?; }}");
        let printed = transform(TokenStream::new(), item.parse().unwrap()).to_string();
        assert!(
            printed.contains(&format!("(Step , \"{name}\")")),
            "{body}: {printed}"
        );
    }
}
