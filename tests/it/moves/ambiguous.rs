//! Moves that cannot be resolved from the records.

use durable::RunError;
use durable::prelude::*;

use super::deploy::{Deploy, Kept, World};
use super::scopes::builds;
use crate::support::Crash;

fn blocked(report: durable::Report<String>) -> String {
    match report.output.unwrap_err() {
        RunError::Blocked(report) => report,
        other => panic!("{other}"),
    }
}

/// A store that does not return the contents of an ended scope cannot tell what ran in it.
#[tokio::test(start_paused = true)]
async fn a_move_out_of_an_ended_scope_blocks_if_its_contents_are_hidden() {
    builds!(world, {
        scope!("pay", { Ok(step!("charge", world.note("charge").await).await?) }).await?;
        step!("rest", world.rest().await).await?;
        Ok(String::new())
    } => {
        let charge = step!("charge", was = "/pay/charge", world.note("again").await).await?;
        step!("rest", world.rest().await).await?;
        Ok(charge)
    });
    let deploy = Deploy::new(Kept::Forgetful);
    deploy.first(before::handler).await;
    let report = blocked(deploy.then(after::handler, Crash::Never).await.unwrap());
    for part in [
        "step `charge` (tests/it/moves/ambiguous.rs:",
        "`was = \"/pay/charge\"`",
        "the scope `pay`, which has ended",
        "leave `was` out",
    ] {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
    assert_eq!(
        deploy.world.effects.all(),
        Vec::<String>::new(),
        "nothing runs"
    );
    // The previous build resumes the execution.
    let report = deploy.then(before::handler, Crash::Never).await.unwrap();
    assert_eq!(report.output.unwrap(), "");
}

/// The same if the scope still exists and returns its recorded outcome.
#[tokio::test(start_paused = true)]
async fn a_move_out_of_an_ended_scope_blocks_if_the_scope_still_exists() {
    builds!(world, {
        scope!("pay", { Ok(step!("charge", world.note("charge").await).await?) }).await?;
        let items = map!("items", [1], key = |item| item, |_| { Ok(step!("post", world.note("post").await).await?) });
        items.await.into_values()?;
        step!("rest", world.rest().await).await?;
        Ok(String::new())
    } => {
        let pay = scope!("pay", { Ok(step!("mail", world.note("mail").await).await?) });
        pay.await?;
        let items = map!("items", [1], key = |item| item, |_| { Ok(String::new()) });
        items.await.into_values()?;
        let first = execution!().id().as_str() == "a";
        match first {
            true => step!("post", was = "items/item[1]/post", world.note("again").await).await?,
            false => step!("charge", was = "/pay/charge", world.note("again").await).await?,
        };
        Ok(String::new())
    });
    let deploy = Deploy::new(Kept::Forgetful);
    deploy.first(before::handler).await;
    let report = blocked(deploy.then(after::handler, Crash::Never).await.unwrap());
    assert!(
        report.contains("the map `items`, which has ended"),
        "{report}"
    );
    assert_eq!(
        deploy.world.effects.all(),
        Vec::<String>::new(),
        "nothing runs"
    );
}

/// A scope that `was` paths lead into is recorded with its contents, which shows that the call sites did not run there.
#[tokio::test(start_paused = true)]
async fn a_scope_that_call_sites_left_keeps_its_contents() {
    #[durable]
    async fn handler(world: &World) -> Result<String, BoxError> {
        scope!("pay", {
            Ok(step!("mail", world.note("mail").await).await?)
        })
        .await?;
        let items = map!("items", [1], key = |item| item, |_| {
            Ok(step!("post", world.note("post").await).await?)
        });
        items.await.into_values()?;
        let none = map!("none", [0; 0], |_| {
            Ok(step!("post", world.note("post").await).await?)
        });
        none.await.into_values()?;
        let failed = scope!("failed", {
            step!(
                "try",
                retry = Retry::none(),
                Err::<(), BoxError>("no".into())
            )
            .await?;
            Ok(())
        });
        assert!(failed.await.is_err());
        step!("rest", world.rest().await).await?;
        for n in 0..1 {
            step!(
                "load",
                key = n,
                was = "items/item[*]/load",
                world.note("load").await
            )
            .await?;
        }
        step!(
            "other",
            was = "none/item[0]/other",
            world.note("other").await
        )
        .await?;
        step!("late", was = "failed/late", world.note("late").await).await?;
        Ok(step!("charge", was = "/pay/charge", world.note("charge").await).await?)
    }
    let deploy = Deploy::new(Kept::Forgetful);
    assert_eq!(deploy.first(handler).await, ["mail", "post"]);
    let report = deploy.then(handler, Crash::Never).await.unwrap();
    assert_eq!(report.output.unwrap(), "charge");
    assert_eq!(
        deploy.world.effects.all(),
        ["load", "other", "late", "charge"]
    );
    assert_eq!(report.drift, []);
}

/// One record answers one call site. A second call site that names it blocks the execution.
#[tokio::test(start_paused = true)]
async fn two_successors_of_one_call_site_block() {
    builds!(world, {
        step!("charge", world.note("charge").await).await?;
        step!("rest", world.rest().await).await?;
        Ok(String::new())
    } => {
        let a = scope!("a", { Ok(step!("charge", was = "/charge", world.note("a").await).await?) });
        let b = scope!("b", { Ok(step!("charge", was = "/charge", world.note("b").await).await?) });
        let (a, b) = tokio::join!(a, b);
        Ok(a? + &b?)
    });
    for kept in [Kept::Memory, Kept::Sqlite, Kept::Forgetful] {
        let deploy = Deploy::new(kept);
        deploy.first(before::handler).await;
        let report = blocked(deploy.then(after::handler, Crash::Never).await.unwrap());
        assert!(
            report.contains("the record of the step `charge` has two successors"),
            "{report}"
        );
        assert_eq!(
            report
                .matches("step `charge` (tests/it/moves/ambiguous.rs:")
                .count(),
            2,
            "{report}"
        );
        assert_eq!(deploy.world.effects.all(), Vec::<String>::new());
    }
}

/// A timer that was cancelled with its race is not resumed elsewhere.
#[tokio::test(start_paused = true)]
async fn a_cancelled_timer_starts_again() {
    builds!(world, {
        race!("first", {
            "work" => step!("work", world.note("work").await) => (),
            "late" => wait!("late", 1.hour()) => (),
        })
        .await;
        step!("rest", world.rest().await).await?;
        Ok(String::new())
    } => {
        step!("work", was = "first/work", world.note("again").await).await?;
        wait!("late", was = "first/late", 1.hour()).await;
        step!("rest", world.rest().await).await?;
        Ok("done".to_owned())
    });
    for kept in [Kept::Memory, Kept::Sqlite, Kept::Forgetful] {
        let deploy = Deploy::new(kept);
        deploy.first(before::handler).await;
        let report = deploy.then(after::handler, Crash::Never).await.unwrap();
        assert_eq!(report.output.unwrap(), "done", "{kept:?}");
        assert_eq!(deploy.world.effects.all(), Vec::<String>::new());
    }
}

/// The remaining contents of a scope that call sites have left are reported one by one.
#[tokio::test(start_paused = true)]
async fn remaining_contents_of_a_removed_scope_are_reported() {
    builds!(world, {
        scope!("pay", {
            step!("charge", world.note("charge").await).await?;
            step!("print", world.note("print").await).await?;
            step!("rest", world.rest().await).await?;
            Ok(())
        })
        .await?;
        Ok(String::new())
    } => {
        let charge = step!("charge", was = "pay/charge", world.note("again").await).await?;
        step!("rest", was = "pay/rest", world.rest().await).await?;
        Ok(charge)
    });
    let deploy = Deploy::new(Kept::Memory);
    deploy.first(before::handler).await;
    let report = deploy.then(after::handler, Crash::Never).await.unwrap();
    let drift: Vec<String> = report.drift.iter().map(ToString::to_string).collect();
    assert_eq!(
        drift,
        ["`pay/print` is recorded, but the code did not reach it"]
    );
}
