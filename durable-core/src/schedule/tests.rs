use std::sync::Arc;

use super::fire::due;
use super::*;
use crate::store::{
    AdminStore, ExecutionStatus, ExecutionStore, MemoryStore, NewExecution, ScheduleStore, Store,
};

/// 2026-11-25T00:00:00Z
const MIDNIGHT: i64 = 1_795_564_800_000;
const HOUR: i64 = 3_600_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(MIDNIGHT + millis)
}

fn entry(schedule: &Schedule, next_at: Timestamp) -> ScheduleEntry {
    ScheduleEntry {
        name: "s".parse().unwrap(),
        plan: plan::write(schedule),
        handler: "etl".to_owned(),
        input: Payload::json("1"),
        queue: None,
        next_at: Some(next_at),
        last: None,
        paused: false,
        revision: 1,
    }
}

fn hourly() -> Schedule {
    Schedule::every(Duration::from_secs(3600)).unwrap()
}

#[test]
fn stored_plans_are_decoded() {
    let cron = Schedule::cron("30 3 * * MON-FRI").unwrap();
    for schedule in [
        cron.clone()
            .zone("Europe/Berlin")
            .unwrap()
            .overlap(Overlap::CancelOther),
        cron.clone().catch_up(CatchUp::All),
        cron.labels(Labels::new().with("tenant", "acme").unwrap()),
        hourly().overlap(Overlap::Allow).catch_up(CatchUp::Skip),
    ] {
        assert_eq!(plan::read(&plan::write(&schedule)).unwrap(), schedule);
    }
    let unlabelled = plan::write(&hourly());
    assert!(!unlabelled.contains("labels"), "{unlabelled}");
    assert!(plan::read("{}").is_err());
    assert!(plan::read("nonsense").is_err());
}

#[test]
fn invalid_schedules_are_refused_with_advice() {
    let why = Schedule::cron("every day").unwrap_err().to_string();
    assert!(why.contains("as in `30 3 * * MON-FRI`"), "{why}");
    let why = hourly().zone("Mars/Olympus").unwrap_err().to_string();
    assert!(why.contains("as in `Europe/Berlin`"), "{why}");
    let why = Schedule::every(Duration::from_millis(10)).unwrap_err();
    assert!(why.to_string().contains("invalid interval 10ms"), "{why}");
    for empty in [", * * 7 * 7", "0 , * * *", "0 1,,2 * * *", "0 3 * * MON,"] {
        let why = Schedule::cron(empty).unwrap_err().to_string();
        assert!(why.contains("a list has an empty item"), "{why}");
    }
    // Valid, but never fires.
    let never = Schedule::cron("0 0 30 2 *");
    assert!(never.is_err() || never.unwrap().next_after(at(0)).unwrap().is_none());
}

#[test]
fn cron_follows_the_clock_changes_of_its_zone() {
    let nightly = Schedule::cron("30 2 * * *")
        .unwrap()
        .zone("Europe/Berlin")
        .unwrap();
    // 2026-03-29: the clock skips from 2 to 3. 2026-10-25: the hour from 2 to 3 occurs twice.
    let spring = Timestamp::from_millis(1_774_738_800_000);
    let first = nightly.next_after(spring).unwrap().unwrap();
    let second = nightly.next_after(first).unwrap().unwrap();
    assert_eq!(first.to_string(), "2026-03-29T01:00:00.000Z");
    assert_eq!(second.to_string(), "2026-03-30T00:30:00.000Z");
    let autumn = Timestamp::from_millis(1_792_879_200_000);
    let first = nightly.next_after(autumn).unwrap().unwrap();
    let second = nightly.next_after(first).unwrap().unwrap();
    assert_eq!(first.to_string(), "2026-10-25T00:30:00.000Z");
    assert_eq!(second.to_string(), "2026-10-26T01:30:00.000Z");
}

#[test]
fn missed_firings_follow_the_catch_up_policy() {
    let (first, now) = (at(0), at(5 * HOUR + 600_000));
    let missed = |policy| due(&entry(&hourly().catch_up(policy), first), now).unwrap();
    let all = missed(CatchUp::All);
    assert_eq!(all.times, (0..=5).map(|n| at(n * HOUR)).collect::<Vec<_>>());
    assert_eq!(missed(CatchUp::Latest).times, [at(5 * HOUR)]);
    assert!(missed(CatchUp::Skip).times.is_empty());
    for policy in [CatchUp::All, CatchUp::Latest, CatchUp::Skip] {
        assert_eq!(missed(policy).next_at, Some(at(6 * HOUR)));
    }
    let timely = due(&entry(&hourly().catch_up(CatchUp::Skip), first), at(900)).unwrap();
    assert_eq!(timely.times, [first]);
}

#[test]
fn years_of_missed_firings_are_skipped_quickly() {
    let secondly = Schedule::every(Duration::from_secs(1)).unwrap();
    let years = at(10 * 365 * 24 * HOUR);
    let latest = due(&entry(&secondly, at(0)), years).unwrap();
    assert_eq!(latest.times, [years]);
}

async fn statuses(store: &MemoryStore) -> Vec<(String, ExecutionStatus)> {
    let all = store.list(Default::default()).await.unwrap().into_iter();
    all.map(|execution| (execution.id.to_string(), execution.status))
        .collect()
}

#[tokio::test]
async fn fired_executions_have_the_labels_of_the_schedule() {
    let store = MemoryStore::new();
    let labels = Labels::new().with("tenant", "acme").unwrap();
    let schedule = hourly().labels(labels.clone());
    store.put_schedule(entry(&schedule, at(0))).await.unwrap();
    fire_due(&store, at(0)).await.unwrap();
    let all = store.list(Default::default()).await.unwrap();
    assert_eq!((all.len(), &all[0].labels), (1, &labels));
}

async fn fired(policy: Overlap, catch_up: CatchUp) -> Vec<(String, ExecutionStatus)> {
    let store = MemoryStore::new();
    let schedule = hourly().overlap(policy).catch_up(catch_up);
    store.put_schedule(entry(&schedule, at(0))).await.unwrap();
    for now in [at(0), at(1), at(HOUR), at(3 * HOUR)] {
        fire_due(&store, now).await.unwrap();
    }
    statuses(&store).await
}

#[tokio::test]
async fn overlapping_firings_follow_the_overlap_policy() {
    use ExecutionStatus::{Cancelled, Queued};
    let id = |hour: i64| format!("s@2026-11-25T{hour:02}:00:00Z");
    let skipped = fired(Overlap::Skip, CatchUp::Latest).await;
    assert_eq!(skipped, [(id(0), Queued)]);
    let all = fired(Overlap::Allow, CatchUp::All).await;
    assert_eq!(all, [0, 1, 2, 3].map(|hour| (id(hour), Queued)));
    let last = fired(Overlap::CancelOther, CatchUp::All).await;
    assert_eq!(
        last,
        [(id(0), Cancelled), (id(1), Cancelled), (id(3), Queued)]
    );
}

#[tokio::test]
async fn concurrent_workers_fire_once() {
    let store = MemoryStore::new();
    let schedule = hourly().overlap(Overlap::Allow);
    store.put_schedule(entry(&schedule, at(0))).await.unwrap();
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store: Arc<dyn Store> = Arc::new(store.clone());
        workers.spawn(async move { fire_due(&*store, at(0)).await });
    }
    while let Some(done) = workers.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(statuses(&store).await.len(), 1);
    let entry = store.schedules(None).await.unwrap().remove(0);
    assert_eq!((entry.revision, entry.next_at), (2, Some(at(HOUR))));
}

#[tokio::test]
async fn a_firing_does_not_start_an_existing_id_again() {
    let store = MemoryStore::new();
    let id = "s@2026-11-25T00:00:00Z".parse().unwrap();
    let by_hand = NewExecution::new(id, "etl", Payload::json("1"), at(0));
    store.start(by_hand).await.unwrap();
    store.put_schedule(entry(&hourly(), at(0))).await.unwrap();
    fire_due(&store, at(5)).await.unwrap();
    assert_eq!(statuses(&store).await.len(), 1);
}

#[tokio::test]
async fn an_unknown_plan_is_retried_later() {
    let store = MemoryStore::new();
    let mut strange = entry(&hourly(), at(0));
    strange.plan = r#"{"moon":"full"}"#.to_owned();
    store.put_schedule(strange).await.unwrap();
    fire_due(&store, at(5)).await.unwrap();
    assert!(statuses(&store).await.is_empty());
    let entry = store.schedules(None).await.unwrap().remove(0);
    assert_eq!(entry.next_at, Some(at(60_005)));
}
