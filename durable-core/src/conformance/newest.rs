//! Listings with the newest execution first.

use super::fixture::{TTL, at, id, new};
use super::labels::labelled;
use super::{Defect, Outcome, Store, expect_eq};
use crate::Timestamp;
use crate::store::{ExecutionStatus, Filter, NewExecution, Order};

fn started(name: &str, seconds: i64) -> Result<NewExecution, Defect> {
    let mut new = new(name)?;
    new.created_at = at(seconds);
    Ok(new)
}

/// Ids of all pages of two executions each.
async fn paged(store: &Store, filter: Filter) -> Result<Vec<String>, Defect> {
    let mut filter = Filter { limit: 2, ..filter };
    let mut ids = Vec::new();
    let mut after: Option<(Timestamp, crate::ExecutionId)> = None;
    loop {
        filter.order = Order::Newest {
            after: after.take(),
        };
        let page = store.list(filter.clone()).await?;
        let Some(last) = page.last() else {
            return Ok(ids);
        };
        after = Some((last.created_at, last.id.clone()));
        ids.extend(page.iter().map(|execution| execution.id.to_string()));
        if ids.len() > 100 {
            return Ok(ids);
        }
    }
}

pub(super) async fn the_newest_are_listed_first(store: Store) -> Outcome {
    for (name, seconds) in [("b", 3), ("c", 1), ("a", 2), ("e", 3), ("d", 3)] {
        store.start(started(name, seconds)?).await?;
    }
    expect_eq!(
        paged(&store, Filter::default()).await?,
        ["e", "d", "b", "a", "c"],
        "all pages"
    );
    let after_two = Filter {
        created_from: Some(at(2)),
        created_before: Some(at(3)),
        ..Filter::default()
    };
    expect_eq!(paged(&store, after_two).await?, ["a"], "of a time");
    let after_id = Filter {
        after: Some(id("b")?),
        ..Filter::default()
    };
    expect_eq!(
        paged(&store, after_id).await?,
        ["e", "d", "c"],
        "with larger ids"
    );
    Ok(())
}

pub(super) async fn the_newest_are_listed_by_status_and_handler(store: Store) -> Outcome {
    for (seconds, name) in (1..).zip(["a", "b", "c", "d", "e", "f"]) {
        let mut new = started(name, seconds)?;
        if matches!(name, "b" | "e") {
            new.handler = "other\u{0}".to_owned();
        }
        store.start(new).await?;
    }
    for name in ["b", "c"] {
        store.cancel(&id(name)?, at(7)).await?;
    }
    store.claim(&id("d")?, at(7), TTL).await?;
    let queued = Filter {
        status: vec![ExecutionStatus::Queued],
        ..Filter::default()
    };
    expect_eq!(
        paged(&store, queued.clone()).await?,
        ["f", "e", "a"],
        "one status"
    );
    let mut two = queued.clone();
    two.status.push(ExecutionStatus::Cancelled);
    expect_eq!(
        paged(&store, two.clone()).await?,
        ["f", "e", "c", "b", "a"],
        "two statuses"
    );
    let other = Filter {
        handler: Some("other\u{0}".to_owned()),
        ..Filter::default()
    };
    expect_eq!(paged(&store, other.clone()).await?, ["e", "b"], "a handler");
    let both = Filter {
        handler: other.handler,
        ..queued
    };
    expect_eq!(paged(&store, both).await?, ["e"], "a status and a handler");
    let none = Filter {
        handler: Some("none".to_owned()),
        ..Filter::default()
    };
    expect_eq!(paged(&store, none).await?.len(), 0, "an unknown handler");
    let paused = Filter {
        paused: Some(true),
        ..Filter::default()
    };
    expect_eq!(paged(&store, paused).await?.len(), 0, "paused ones");
    Ok(())
}

pub(super) async fn the_newest_are_listed_by_label(store: Store) -> Outcome {
    for (seconds, name) in (1..).zip(["a", "x-1", "b", "x-2"]) {
        let env: &[(&str, &str)] = match name {
            "x-1" => &[("tenant", "acme")],
            _ => &[("tenant", "acme"), ("env", "prod")],
        };
        let mut new = labelled(name, env)?;
        new.created_at = at(seconds);
        store.start(new).await?;
    }
    let wanted = |labels: &[(&str, &str)]| super::labels::filter(labels);
    let acme = wanted(&[("tenant", "acme")])?;
    expect_eq!(
        paged(&store, acme.clone()).await?,
        ["x-2", "b", "x-1", "a"],
        "one label"
    );
    let both = wanted(&[("env", "prod"), ("tenant", "acme")])?;
    expect_eq!(paged(&store, both).await?, ["x-2", "b", "a"], "two labels");
    let prefix = Filter {
        prefix: Some("x-".to_owned()),
        status: vec![ExecutionStatus::Queued],
        ..acme
    };
    expect_eq!(paged(&store, prefix).await?, ["x-2", "x-1"], "and a prefix");
    Ok(())
}
