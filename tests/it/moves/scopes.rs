//! Scopes that a call site can move out of and into.

use durable::prelude::*;

use super::deploy::{Kept, World, everywhere, on};

/// Declares two builds of one handler.
macro_rules! builds {
    ($world:ident, $before:block => $after:block) => {
        mod before {
            #[allow(unused_imports, reason = "not every build uses everything")]
            use super::*;
            #[durable]
            pub(super) async fn handler($world: &World) -> Result<String, BoxError> $before
        }
        mod after {
            #[allow(unused_imports, reason = "not every build uses everything")]
            use super::*;
            #[durable]
            pub(super) async fn handler($world: &World) -> Result<String, BoxError> $after
        }
    };
}
pub(super) use builds;

#[tokio::test(start_paused = true)]
async fn into_a_scope() {
    builds!(world, {
        let charge = step!("charge", world.note("charge").await).await?;
        step!("rest", world.rest().await).await?;
        Ok(charge)
    } => {
        let charge = scope!("pay", {
            let charge = step!("charge", was = "/charge", world.note("again").await).await?;
            step!("mail", world.note("mail").await).await?;
            Ok(charge)
        });
        let charge = charge.await?;
        step!("rest", world.rest().await).await?;
        Ok(charge)
    });
    everywhere(before::handler, after::handler, "charge", &["mail"]).await;
}

#[tokio::test(start_paused = true)]
async fn out_of_a_scope_that_is_gone() {
    builds!(world, {
        scope!("pay", {
            let charge = step!("charge", world.note("charge").await).await?;
            step!("rest", world.rest().await).await?;
            Ok(charge)
        })
        .await
        .map_err(Into::into)
    } => {
        let charge = step!("charge", was = "pay/charge", world.note("again").await).await?;
        step!("rest", was = "pay/rest", world.rest().await).await?;
        Ok(charge)
    });
    everywhere(before::handler, after::handler, "charge", &[]).await;
}

#[tokio::test(start_paused = true)]
async fn out_of_a_scope_that_has_ended() {
    builds!(world, {
        scope!("pay", {
            let charge = step!("charge", world.note("charge").await).await?;
            let mail = step!("mail", world.note("mail").await).await?;
            Ok(charge + &mail)
        })
        .await?;
        step!("rest", world.rest().await).await?;
        Ok("done".to_owned())
    } => {
        scope!("pay", { Ok(step!("mail", world.note("mail again").await).await?) }).await?;
        let charge = step!("charge", was = "/pay/charge", world.note("again").await).await?;
        step!("rest", world.rest().await).await?;
        Ok(charge)
    });
    let stores = [Kept::Memory, Kept::Sqlite];
    on(&stores, before::handler, after::handler, "charge", &[]).await;
}

#[durable]
async fn bill(world: &World) -> Result<String, BoxError> {
    let charge = step!(
        "charge",
        was = ["../charge", "../old/charge[*]"],
        world.note("again").await
    )
    .await?;
    step!("print", world.note("print").await).await?;
    Ok(charge)
}

#[tokio::test(start_paused = true)]
async fn into_a_called_function() {
    builds!(world, {
        let charge = step!("charge", world.note("charge").await).await?;
        step!("rest", world.rest().await).await?;
        Ok(charge)
    } => {
        let charge = call!("billed", bill()).await?;
        step!("rest", world.rest().await).await?;
        Ok(charge)
    });
    everywhere(before::handler, after::handler, "charge", &["print"]).await;
}

/// In the called function, the innermost key is that of the call.
#[tokio::test(start_paused = true)]
async fn into_a_function_that_is_called_for_each_key() {
    builds!(world, {
        scope!("old", {
            for key in ["x", "y"] {
                step!("charge", key = key, world.note(key).await).await?;
            }
            step!("rest", world.rest().await).await?;
            Ok(())
        })
        .await?;
        Ok(String::new())
    } => {
        let mut all = String::new();
        for key in ["y", "x"] {
            all.push_str(&call!("billed", key = key, bill()).await?);
        }
        step!("rest", was = "old/rest", world.rest().await).await?;
        Ok(all)
    });
    everywhere(before::handler, after::handler, "yx", &["print", "print"]).await;
}

mod callee {
    use super::*;

    #[durable(name = "callee")]
    pub(super) async fn with_charge(world: &World) -> Result<String, BoxError> {
        let charge = step!("charge", world.note("charge").await).await?;
        step!("rest", world.rest().await).await?;
        Ok(charge)
    }

    #[durable(name = "callee")]
    pub(super) async fn without(world: &World) -> Result<(), BoxError> {
        step!("rest", world.rest().await).await?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn out_of_a_called_function() {
    builds!(world, {
        let _ = world;
        Ok(call!("callee", callee::with_charge()).await?)
    } => {
        let charge = step!("charge", was = "callee/charge", world.note("again").await).await?;
        call!("callee", callee::without()).await?;
        Ok(charge)
    });
    everywhere(before::handler, after::handler, "charge", &[]).await;
}

#[tokio::test(start_paused = true)]
async fn into_the_items_of_a_map_and_another_name() {
    builds!(world, {
        for file in ["in/a.csv", "b]"] {
            step!("load", key = file, world.note(file).await).await?;
        }
        step!("rest", world.rest().await).await?;
        Ok(String::new())
    } => {
        let files = map!("files", ["b]", "in/a.csv", "c"], key = |file| file, |file| {
            Ok(step!("load_file", was = "../../load[*]", world.note(file).await).await?)
        });
        let files = files.await.into_values()?;
        step!("rest", world.rest().await).await?;
        Ok(files.join(" "))
    });
    everywhere(before::handler, after::handler, "b] in/a.csv c", &["c"]).await;
}

#[tokio::test(start_paused = true)]
async fn from_ordered_occurrences_into_a_flat_map() {
    builds!(world, {
        for turn in ["zero", "one"] {
            step!("load", ordered, world.note(turn).await).await?;
        }
        step!("rest", world.rest().await).await?;
        Ok(String::new())
    } => {
        let files = map!("files", ["zero", "one", "two"], flat, |turn| {
            Ok(step!("load", was = "/load[*]", world.note(turn).await).await?)
        });
        let files = files.await.into_values()?;
        step!("rest", world.rest().await).await?;
        Ok(files.join(" "))
    });
    everywhere(before::handler, after::handler, "zero one two", &["two"]).await;
}

#[tokio::test(start_paused = true)]
async fn out_of_the_items_of_a_map() {
    builds!(world, {
        map!("files", ["x", "y"], key = |file| file, |file| {
            let file = step!("load", world.note(file).await).await?;
            step!("rest", world.rest().await).await?;
            Ok(file)
        })
        .await
        .into_values()?;
        Ok(String::new())
    } => {
        let mut all = String::new();
        for file in ["y", "x"] {
            all.push_str(&step!("load", key = file, was = "/files/item[*]/load", world.note("again").await).await?);
            step!("rest", key = file, was = "files/item[*]/rest", world.rest().await).await?;
        }
        Ok(all)
    });
    everywhere(before::handler, after::handler, "yx", &[]).await;
}

#[tokio::test(start_paused = true)]
async fn out_of_a_flat_map_by_an_escaped_key() {
    builds!(world, {
        map!("files", ["x]", "y"], flat, key = |file| file, |file| {
            let file = step!("load", world.note(file).await).await?;
            step!("rest", world.rest().await).await?;
            Ok(file)
        })
        .await
        .into_values()?;
        Ok(String::new())
    } => {
        let first = step!("first", was = r"files/item[x\]]/load", world.note("again").await).await?;
        step!("rest", was = r"files/item[x\]]/rest", world.rest().await).await?;
        let second = step!("second", was = "files/item[y]/load", world.note("again").await).await?;
        step!("last", was = "files/item[y]/rest", world.rest().await).await?;
        Ok(first + &second)
    });
    everywhere(before::handler, after::handler, "x]y", &[]).await;
}

#[tokio::test(start_paused = true)]
async fn between_branches_and_nested_scopes() {
    builds!(world, {
        parallel!("both", {
            "mail" => {
                let send = step!("send", world.note("mail").await).await?;
                step!("rest", world.rest().await).await?;
                Ok(send)
            },
            "post" => {
                let send = step!("send", world.note("post").await).await?;
                step!("rest", world.rest().await).await?;
                Ok(send)
            },
        })
        .await
        .into_values()?;
        Ok(String::new())
    } => {
        scope!("outer", {
            let inner = scope!("inner", {
                let mail = step!("mail", was = "/both/branch[mail]/send", world.note("again").await).await?;
                let post = step!("post", was = "../../both/branch[post]/send", world.note("again").await).await?;
                Ok(mail + &post)
            });
            let inner = inner.await?;
            step!("rest", was = "/both/branch[mail]/rest", world.rest().await).await?;
            step!("rest 2", was = "../both/branch[post]/rest", world.rest().await).await?;
            Ok(inner)
        })
        .await
        .map_err(Into::into)
    });
    everywhere(before::handler, after::handler, "mailpost", &[]).await;
}

/// The contents of a moved scope keep their place in it, and so do new operations in it.
#[tokio::test(start_paused = true)]
async fn a_scope_with_its_contents_into_another_one() {
    builds!(world, {
        scope!("pay", {
            let charge = step!("charge", world.note("charge").await).await?;
            scope!("deep", { Ok(step!("print", world.note("print").await).await?) }).await?;
            step!("rest", world.rest().await).await?;
            Ok(charge)
        })
        .await
        .map_err(Into::into)
    } => {
        scope!("order", {
            let paid = scope!("paid", was = "/pay", {
                let charge = step!("charge", world.note("again").await).await?;
                scope!("deep", { Ok(step!("print", world.note("again").await).await?) }).await?;
                let old = step!("reprint", was = "/pay/deep/nothing", world.note("new").await).await?;
                step!("rest", world.rest().await).await?;
                Ok(charge + &old)
            });
            Ok(paid.await?)
        })
        .await
        .map_err(Into::into)
    });
    let stores = [Kept::Memory, Kept::Sqlite];
    on(
        &stores,
        before::handler,
        after::handler,
        "chargenew",
        &["new"],
    )
    .await;
}

/// A step that finished before the move is undone at its new place.
#[tokio::test(start_paused = true)]
async fn an_undo_body_moves_with_its_step() {
    builds!(world, {
        step!("book", undo = |_| async { Ok::<_, BoxError>(()) }.await, world.note("book").await).await?;
        step!("rest", world.rest().await).await?;
        Ok(String::new())
    } => {
        let booked = scope!("trip", {
            step!(
                "book",
                was = "/book",
                undo = |what| async { world.effects.note(format!("undo {what}")); Ok::<_, BoxError>(()) }.await,
                world.note("again").await
            )
            .await?;
            Ok(())
        });
        booked.await?;
        step!("rest", world.rest().await).await?;
        Err("full".into())
    });
    for kept in [Kept::Memory, Kept::Sqlite] {
        let deploy = super::deploy::Deploy::new(kept);
        deploy.first(before::handler).await;
        let report = deploy
            .then(after::handler, crate::support::Crash::Never)
            .await
            .unwrap();
        assert!(report.output.is_err());
        assert_eq!(deploy.world.effects.all(), ["undo book"]);
    }
}
