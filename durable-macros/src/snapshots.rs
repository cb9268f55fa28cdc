//! What the attribute prints, and how much of it.

use proc_macro2::TokenStream;
use quote::quote;

use crate::transform;

fn print(item: &TokenStream) -> String {
    let file = syn::parse2(transform(TokenStream::new(), item.clone())).unwrap();
    prettyplease::unparse(&file)
}

/// Compares with `src/snapshots/<name>.rs`; `UPDATE_SNAPSHOTS=1` writes it.
fn assert_snapshot(name: &str, item: &TokenStream) {
    let path = format!("{}/src/snapshots/{name}.rs", env!("CARGO_MANIFEST_DIR"));
    let printed = print(item);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &printed).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(printed, expected, "{path}: UPDATE_SNAPSHOTS=1 accepts it");
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
fn errors_stand_in_place_or_beside() {
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

/// A handler, one more call site, and what each adds over the plain function.
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
    assert!(handler <= 36, "a handler adds {handler} lines");
    assert!(site <= 18, "a call site adds {site} lines");
}
