//! Labels of executions, and listings by label.

use super::fixture::{TTL, at, batch, child, ending, id, json, new, start_and_claim};
use super::{Defect, Outcome, Store, expect_eq};
use crate::Labels;
use crate::store::{
    Change, ExecutionStatus, ExecutionUpdate, Filter, Firing, NewExecution, ScheduleEntry, Started,
};

/// Keys and values of labels.
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn labels(pairs: Pairs<'_>) -> Result<Labels, Defect> {
    let invalid = |error: crate::InvalidLabel| Defect::new(error.to_string());
    let mut pairs = pairs.iter();
    let labels = pairs.try_fold(Labels::new(), |labels, (key, value)| {
        labels.with(*key, *value)
    });
    labels.map_err(invalid)
}

pub(super) fn labelled(name: &str, pairs: Pairs<'_>) -> Result<NewExecution, Defect> {
    Ok(NewExecution {
        labels: labels(pairs)?,
        ..new(name)?
    })
}

pub(super) fn filter(pairs: Pairs<'_>) -> Result<Filter, Defect> {
    Ok(Filter {
        labels: labels(pairs)?,
        ..Filter::default()
    })
}

async fn listed(store: &Store, filter: Filter) -> Result<Vec<String>, Defect> {
    let found = store.list(filter).await?.into_iter();
    Ok(found.map(|execution| execution.id.to_string()).collect())
}

const UNUSUAL: &str = "a=b, \"c\" \\ \u{1f600} \n";

pub(super) async fn labels_are_kept(store: Store) -> Outcome {
    let new = labelled("a", &[("tenant", "acme"), ("note", UNUSUAL), ("empty", "")])?;
    let expected = new.labels.clone();
    match store.start(new).await? {
        Started::Created(execution) => {
            expect_eq!(execution.labels, expected, "labels after the start");
        }
        Started::Existing(_) => return Err(Defect::new("the execution existed before")),
    }
    expect_eq!(
        store.get(&id("a")?).await?.labels,
        expected,
        "labels of the execution"
    );
    let lease = store.claim(&id("a")?, at(0), TTL).await?;
    expect_eq!(lease.execution.labels, expected, "labels in the lease");
    let all = store.list(Filter::default()).await?;
    let all: Vec<_> = all.into_iter().map(|execution| execution.labels).collect();
    expect_eq!(all, [expected], "labels in a listing");
    for (key, value) in [("note", UNUSUAL), ("empty", "")] {
        let found = listed(&store, filter(&[(key, value)])?).await?;
        expect_eq!(found, ["a"], format!("listed by {key}"));
    }
    Ok(())
}

pub(super) async fn a_second_start_does_not_change_the_labels(store: Store) -> Outcome {
    store.start(labelled("a", &[("tenant", "acme")])?).await?;
    match store.start(labelled("a", &[("tenant", "other")])?).await? {
        Started::Existing(execution) => {
            expect_eq!(execution.labels, labels(&[("tenant", "acme")])?, "labels");
        }
        Started::Created(_) => return Err(Defect::new("the execution was started twice")),
    }
    let found = listed(&store, filter(&[("tenant", "other")])?).await?;
    expect_eq!(found.len(), 0, "listed by the labels of the second start");
    Ok(())
}

pub(super) async fn executions_are_listed_by_label(store: Store) -> Outcome {
    store
        .start(labelled("a", &[("tenant", "acme"), ("env", "prod")])?)
        .await?;
    store
        .start(labelled("b", &[("tenant", "acme"), ("env", "test")])?)
        .await?;
    store
        .start(labelled("c", &[("tenant", "acme corp")])?)
        .await?;
    store.start(new("d")?).await?;
    let cases: [(Pairs<'_>, &[&str]); 6] = [
        (&[("tenant", "acme")], &["a", "b"]),
        (&[("tenant", "acme"), ("env", "prod")], &["a"]),
        (&[("env", "test"), ("tenant", "acme corp")], &[]),
        (&[("tenant", "ACME")], &[]),
        (&[("Tenant", "acme")], &[]),
        (&[], &["a", "b", "c", "d"]),
    ];
    for (wanted, expected) in cases {
        let found = listed(&store, filter(wanted)?).await?;
        expect_eq!(found, expected, format!("listed by {wanted:?}"));
    }
    Ok(())
}

pub(super) async fn a_listing_by_label_is_sorted_and_paged(store: Store) -> Outcome {
    for name in ["c", "a", "e", "b", "d"] {
        store.start(labelled(name, &[("tenant", "acme")])?).await?;
    }
    let mut page = filter(&[("tenant", "acme")])?;
    page.limit = 2;
    expect_eq!(
        listed(&store, page.clone()).await?,
        ["a", "b"],
        "first page"
    );
    page.after = Some(id("b")?);
    expect_eq!(
        listed(&store, page.clone()).await?,
        ["c", "d"],
        "second page"
    );
    page.after = Some(id("d")?);
    expect_eq!(listed(&store, page).await?, ["e"], "last page");
    Ok(())
}

pub(super) async fn other_filters_apply_to_a_listing_by_label(store: Store) -> Outcome {
    for name in ["run-1", "run-2", "other-1"] {
        store.start(labelled(name, &[("tenant", "acme")])?).await?;
    }
    store.cancel(&id("run-1")?, at(1)).await?;
    let status = Filter {
        status: vec![ExecutionStatus::Queued, ExecutionStatus::Running],
        ..filter(&[("tenant", "acme")])?
    };
    expect_eq!(
        listed(&store, status).await?,
        ["other-1", "run-2"],
        "by status"
    );
    let prefix = Filter {
        prefix: Some("run-".to_owned()),
        ..filter(&[("tenant", "acme")])?
    };
    expect_eq!(
        listed(&store, prefix).await?,
        ["run-1", "run-2"],
        "by prefix"
    );
    let handler = Filter {
        handler: Some("other".to_owned()),
        ..filter(&[("tenant", "acme")])?
    };
    expect_eq!(listed(&store, handler).await?.len(), 0, "by handler");
    Ok(())
}

pub(super) async fn children_and_successors_keep_their_labels(store: Store) -> Outcome {
    let lease = start_and_claim(&store, "a").await?;
    let (record, mut started) = child("a", 1, "a.child")?;
    started.labels = labels(&[("tenant", "acme")])?;
    let mut begins = (*batch(1, vec![record])).clone();
    begins.children.push(started);
    let ack = store.checkpoint(&lease.fence, begins.into()).await?;
    let fence = ack.fence.unwrap_or(lease.fence);
    let next = Box::new(labelled("a~2", &[("tenant", "acme")])?);
    let continues = ending(2, ExecutionUpdate::Continue { next: *next });
    store.checkpoint(&fence, continues).await?;
    let found = listed(&store, filter(&[("tenant", "acme")])?).await?;
    expect_eq!(found, ["a.child", "a~2"], "listed by label");
    Ok(())
}

pub(super) async fn a_fired_execution_keeps_its_labels(store: Store) -> Outcome {
    let name = id("nightly")?;
    let schedule = ScheduleEntry {
        name: name.clone(),
        plan: "{}".to_owned(),
        handler: "etl".to_owned(),
        input: json("1"),
        queue: None,
        next_at: Some(at(0)),
        last: None,
        paused: false,
        revision: 0,
    };
    store.put_schedule(schedule).await?;
    let fired = store
        .fire(Firing {
            schedule: name,
            revision: 1,
            start: vec![labelled("nightly@1", &[("tenant", "acme")])?],
            next_at: None,
            last: None,
        })
        .await?;
    expect_eq!(fired, true, "fired");
    let found = listed(&store, filter(&[("tenant", "acme")])?).await?;
    expect_eq!(found, ["nightly@1"], "listed by label");
    Ok(())
}

pub(super) async fn a_deleted_execution_is_not_listed_by_its_labels(store: Store) -> Outcome {
    // The last one started: stores may use its key again.
    store.start(labelled("b", &[("tenant", "acme")])?).await?;
    store.start(labelled("a", &[("tenant", "acme")])?).await?;
    store.cancel(&id("a")?, at(1)).await?;
    store.change(&id("a")?, Change::Delete, at(2)).await?;
    let by_tenant = filter(&[("tenant", "acme")])?;
    expect_eq!(
        listed(&store, by_tenant.clone()).await?,
        ["b"],
        "after the deletion"
    );
    // The id can be used again, without the labels of before.
    store.start(new("a")?).await?;
    expect_eq!(
        listed(&store, by_tenant).await?,
        ["b"],
        "after the second start"
    );
    Ok(())
}
