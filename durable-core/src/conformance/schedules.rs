//! Schedules: they are kept, and fire once.

use super::fixture::{at, id, json, new};
use super::work::{claim_request, worker_of_build};
use super::{Defect, Outcome, Store, expect_eq, expect_error};
use crate::store::{Firing, QueueEntry, ScheduleEntry};

fn schedule(name: &str, seconds: Option<i64>) -> Result<ScheduleEntry, Defect> {
    Ok(ScheduleEntry {
        name: id(name)?,
        plan: "every day".to_owned(),
        handler: "etl".to_owned(),
        input: json("17"),
        queue: Some(QueueEntry::new("q")),
        next_at: seconds.map(at),
        last: None,
        paused: false,
        revision: 0,
    })
}

fn firing(name: &str, revision: u64, start: &str) -> Result<Firing, Defect> {
    Ok(Firing {
        schedule: id(name)?,
        revision,
        start: vec![new(start)?],
        next_at: Some(at(60)),
        last: Some(id(start)?),
    })
}

pub(super) async fn schedules_are_kept(store: Store) -> Outcome {
    store.put_schedule(schedule("b", Some(10))?).await?;
    store.put_schedule(schedule("a", None)?).await?;
    let all = store.schedules(None).await?;
    let mut expected = [schedule("a", None)?, schedule("b", Some(10))?];
    for schedule in &mut expected {
        schedule.revision = 1;
    }
    expect_eq!(all, expected, "schedules");
    expect_eq!(
        store.schedules(Some(at(9))).await?.len(),
        0,
        "before the time"
    );
    expect_eq!(store.schedules(Some(at(10))).await?.len(), 1, "at the time");
    let claimed = store
        .claim_due(&worker_of_build("1"), claim_request(1, at(0)))
        .await?;
    expect_eq!(claimed.next_firing, Some(at(10)), "next firing");
    let mut paused = schedule("b", Some(10))?;
    paused.paused = true;
    store.put_schedule(paused).await?;
    expect_eq!(
        store.schedules(Some(at(10))).await?.len(),
        0,
        "while paused"
    );
    let claimed = store
        .claim_due(&worker_of_build("1"), claim_request(1, at(0)))
        .await?;
    expect_eq!(claimed.next_firing, None, "next firing, while paused");
    store.remove_schedule(&id("b")?).await?;
    expect_eq!(store.schedules(None).await?.len(), 1, "after a removal");
    expect_error!(
        store.remove_schedule(&id("b")?).await,
        NotFound,
        "removal of an unknown schedule"
    );
    Ok(())
}

pub(super) async fn a_schedule_fires_once(store: Store) -> Outcome {
    store.put_schedule(schedule("a", Some(10))?).await?;
    expect_eq!(store.fire(firing("a", 1, "a-10")?).await?, true, "fired");
    expect_eq!(
        store.fire(firing("a", 1, "a-11")?).await?,
        false,
        "fired with an old revision"
    );
    expect_error!(
        store.get(&id("a-11")?).await,
        NotFound,
        "the execution of the refused firing"
    );
    let after = store.schedules(None).await?;
    let moved: Vec<_> = after
        .iter()
        .map(|after| (after.next_at, after.last.clone()))
        .collect();
    expect_eq!(
        moved,
        [(Some(at(60)), Some(id("a-10")?))],
        "next time and last execution"
    );
    expect_eq!(
        store.fire(firing("a", 2, "a-10")?).await?,
        true,
        "fired again"
    );
    expect_eq!(
        store.get(&id("a-10")?).await?.created_at,
        at(0),
        "the existing execution"
    );
    expect_eq!(
        store.fire(firing("b", 1, "b")?).await?,
        false,
        "an unknown schedule fired"
    );
    Ok(())
}
