use std::sync::Arc;

use super::*;
use crate::schedule::{CatchUp, Overlap, fire_due, plan};
use crate::store::{AdminStore, ExecutionStore, MemoryStore, QueueEntry, ScheduleStore};
use crate::{Clock, Labels, Payload};

#[derive(Debug, Clone, Copy)]
struct FixedClock(Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

fn time(text: &str) -> Timestamp {
    let parsed: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_millis(parsed.as_millisecond())
}

fn nightly() -> Schedule {
    let schedule = Schedule::cron("30 2 * * *").unwrap();
    let schedule = schedule.zone("Europe/Berlin").unwrap();
    schedule.overlap(Overlap::Allow).catch_up(CatchUp::All)
}

/// Returns a store with a schedule that fires next at `next_at`, and a client with a fixed clock.
async fn scheduled(schedule: &Schedule, next_at: &str, now: &str) -> (MemoryStore, Client) {
    let store = MemoryStore::new();
    let entry = ScheduleEntry {
        name: "s".parse().unwrap(),
        plan: plan::write(schedule),
        handler: "etl".to_owned(),
        input: Payload::json("1"),
        queue: schedule.queue.clone(),
        next_at: Some(time(next_at)),
        last: None,
        paused: false,
        revision: 1,
    };
    store.put_schedule(entry).await.unwrap();
    let clock = Arc::new(FixedClock(time(now)));
    (store.clone(), Client::new(store).clock(clock))
}

fn texts(ids: &[ExecutionId]) -> Vec<&str> {
    ids.iter().map(ExecutionId::as_str).collect()
}

#[tokio::test]
async fn past_times_get_the_executions_that_the_schedule_would_start() {
    // The clock skips an hour on 29 March and repeats one on 25 October.
    let changes = [
        (
            "2026-03-28T00:00:00Z",
            "2026-03-31T00:00:00Z",
            [
                "s@2026-03-28T01:30:00Z",
                "s@2026-03-29T01:00:00Z",
                "s@2026-03-30T00:30:00Z",
            ],
        ),
        (
            "2026-10-24T00:00:00Z",
            "2026-10-27T00:00:00Z",
            [
                "s@2026-10-24T00:30:00Z",
                "s@2026-10-25T00:30:00Z",
                "s@2026-10-26T01:30:00Z",
            ],
        ),
    ];
    for (from, to, expected) in changes {
        let schedule = nightly()
            .queue(QueueEntry::new("q"))
            .labels(Labels::new().with("tenant", "acme").unwrap());
        let (fired, client) = scheduled(&schedule, from, to).await;
        let first = schedule.next_after(time(from)).unwrap();
        let mut entry = client.schedules().await.unwrap().remove(0);
        entry.next_at = first;
        fired.put_schedule(entry).await.unwrap();
        fire_due(&fired, time(to)).await.unwrap();

        let (filled, client) = scheduled(&schedule, to, to).await;
        let backfill = client.backfill("s", time(from)..time(to));
        assert_eq!(texts(&backfill.ids().await.unwrap()), expected);
        assert!(filled.list(Default::default()).await.unwrap().is_empty());
        let done = backfill.await.unwrap();
        assert_eq!(texts(&done.started), expected);
        assert_eq!(
            filled.list(Default::default()).await.unwrap(),
            fired.list(Default::default()).await.unwrap()
        );
    }
}

#[tokio::test]
async fn a_repeated_backfill_starts_what_is_missing() {
    let now = "2026-11-28T00:00:00Z";
    let (store, client) = scheduled(&nightly(), now, now).await;
    let (from, to) = (time("2026-11-20T00:00:00Z"), time("2026-11-24T00:00:00Z"));
    let early = client.backfill("s", from..time("2026-11-22T00:00:00Z"));
    assert_eq!(early.await.unwrap().started.len(), 2);
    let done = client.backfill("s", from..to).await.unwrap();
    assert_eq!(
        texts(&done.existing),
        ["s@2026-11-20T01:30:00Z", "s@2026-11-21T01:30:00Z"]
    );
    assert_eq!(
        texts(&done.started),
        ["s@2026-11-22T01:30:00Z", "s@2026-11-23T01:30:00Z"]
    );
    assert_eq!(store.list(Default::default()).await.unwrap().len(), 4);
    // The schedule is as before.
    let entry = store.schedules(None).await.unwrap().remove(0);
    assert_eq!((entry.next_at, entry.last), (Some(time(now)), None));
}

#[tokio::test]
async fn a_range_contains_its_start_and_not_its_end() {
    let hourly = Schedule::every(Duration::from_secs(3600)).unwrap();
    let now = "2026-11-28T03:00:00Z";
    let (_, client) = scheduled(&hourly, now, now).await;
    let ids = client.backfill(
        "s",
        time("2026-11-28T00:00:00Z")..time("2026-11-28T02:00:00Z"),
    );
    let ids = ids.ids().await.unwrap();
    assert_eq!(
        texts(&ids),
        ["s@2026-11-28T00:00:00Z", "s@2026-11-28T01:00:00Z"]
    );
    // What is not past is left to the schedule.
    let ids = client.backfill(
        "s",
        time("2026-11-28T02:00:00Z")..time("2027-01-01T00:00:00Z"),
    );
    let ids = ids.ids().await.unwrap();
    assert_eq!(
        texts(&ids),
        ["s@2026-11-28T02:00:00Z", "s@2026-11-28T03:00:00Z"]
    );
}

#[tokio::test]
async fn too_many_times_start_nothing() {
    let secondly = Schedule::every(Duration::from_secs(1)).unwrap();
    let now = "2026-11-28T03:00:00Z";
    let (store, client) = scheduled(&secondly, now, now).await;
    let years = || client.backfill("s", time("1990-01-01T00:00:00Z")..time(now));
    let error = years().await.unwrap_err();
    let RunError::Usage(why) = &error else {
        panic!("{error:?}")
    };
    assert!(
        why.contains("more than 100 times") && why.contains("higher limit"),
        "{why}"
    );
    assert!(store.list(Default::default()).await.unwrap().is_empty());
    let two = || {
        client.backfill(
            "s",
            time("2026-11-28T00:00:00Z")..time("2026-11-28T00:00:02Z"),
        )
    };
    assert!(two().limit(1).await.is_err());
    assert_eq!(two().limit(2).await.unwrap().started.len(), 2);
}

#[tokio::test]
async fn unknown_schedules_and_empty_ranges_are_refused() {
    let now = "2026-11-28T03:00:00Z";
    let (store, client) = scheduled(&nightly(), now, now).await;
    let error = client.backfill("other", time("2026-11-20T00:00:00Z")..time(now));
    let why = error.await.unwrap_err().to_string();
    assert!(why.contains("there is no schedule `other`"), "{why}");
    let why = client
        .backfill("s", time(now)..time(now))
        .await
        .unwrap_err();
    assert!(why.to_string().contains("is empty"), "{why}");
    assert!(store.get(&"s".parse().unwrap()).await.is_err());
}
