//! Handlers that resume from arbitrary histories.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use durable::error::OperationError;
use durable::prelude::*;
use durable::store::{
    Ack, Batch, Capabilities, CheckpointStore, Durability, Execution, Fence, Lease, NewExecution,
    Page, StoreError,
};
use durable::{
    BoxFuture, Clock, Ended, ErrorKind, Fingerprint, IntoHandler, Invocation, Kind, Occurrence,
    OperationId, Payload, Record, Status, Timestamp,
};
use tokio::runtime::Builder;

/// Time at which everything begins.
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
/// Longest time that the clock skips in total, in milliseconds: a million years.
const FOREVER: i64 = 31_556_952_000_000_000;
/// An invocation that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(20);

/// A handler with one call site of most kinds, which continues after every failure.
#[durable]
async fn subject(input: u32) -> Result<u32, BoxError> {
    let hour = || Retry::fixed(Duration::from_secs(3600)).attempts(2);
    let mut sum: u32 = step!("step", retry = hour(), number(input))
        .await
        .unwrap_or(1);
    sum = sum.wrapping_add(record!("recorded", 2_u32).await);
    wait!("wait", Duration::from_secs(60)).await;
    for n in 0..3_u32 {
        let checked: Result<u32, _> = step!("checked", key = n, with = &n, number(n)).await;
        sum = sum.wrapping_add(checked.unwrap_or_default());
    }
    let undone: Result<u32, _> = step!("undone", undo = |value| undo(value), number(3)).await;
    sum = sum.wrapping_add(undone.unwrap_or_default());
    let inner: Result<u32, _> = scope!("scope", {
        let inner: u32 = step!("inner", number(1)).await?;
        publish!("latest", inner)?;
        Ok(inner)
    })
    .await;
    sum = sum.wrapping_add(inner.unwrap_or_default());
    let items = vec![1_u32, 2, 3];
    let mapped = map!("map", items, |item| {
        let done: u32 = step!("item", number(item)).await?;
        Ok(done)
    })
    .await;
    sum = sum.wrapping_add(
        mapped
            .into_values()
            .map_or(0, |done: Vec<u32>| done.iter().sum()),
    );
    let first: u32 = race!("race", {
        "work" => won = step!("racer", number(5)) => won.unwrap_or_default(),
        "late" => wait!("late", Duration::from_secs(60)) => 0,
    })
    .await;
    sum = sum.wrapping_add(first);
    let items = vec![1_u32, 2, 3, 4];
    let batched: Result<Vec<u32>, _> =
        batches!("batches", items, |batch| number(batch.iter().sum())).await;
    sum = sum.wrapping_add(batched.map_or(0, |sums| sums.iter().sum()));
    let polled: Result<u32, _> = poll!(
        "poll",
        every = Duration::from_secs(3600),
        state = 0_u32,
        |state| check(state)
    )
    .await;
    sum = sum.wrapping_add(polled.unwrap_or_default());
    let called: Result<u32, _> = callback!("callback", timeout = Duration::from_secs(60)).await;
    sum = sum.wrapping_add(called.unwrap_or_default());
    let child: Result<u32, _> = invoke!("invoke", other(sum)).await;
    sum = sum.wrapping_add(child.unwrap_or_default());
    if sum % 2 == 0 {
        return continue_as!(sum).await;
    }
    Ok(sum)
}

#[durable]
async fn other(input: u32) -> Result<u32, BoxError> {
    let done: u32 = step!("other", number(input)).await?;
    Ok(done)
}

fn number(n: u32) -> Result<u32, String> {
    Ok(n)
}

fn undo(_value: u32) -> Result<(), String> {
    Ok(())
}

fn check(state: u32) -> Result<std::ops::ControlFlow<u32, u32>, String> {
    Ok(std::ops::ControlFlow::Continue(state.wrapping_add(1)))
}

/// Names, kinds, runs and enclosing operations of the records that the handler writes.
const SITES: &[(&str, Kind, Run, Option<usize>)] = &[
    ("step", Kind::Step, Run::Once, None),
    ("recorded", Kind::Record, Run::Once, None),
    ("wait", Kind::Wait, Run::Once, None),
    ("checked", Kind::Step, Run::Keyed("0"), None),
    ("checked", Kind::Step, Run::Keyed("1"), None),
    ("undone", Kind::Step, Run::Once, None),
    ("scope", Kind::Scope, Run::Once, None),
    ("inner", Kind::Step, Run::Once, Some(6)),
    ("map", Kind::Map, Run::Once, None),
    ("item", Kind::Branch, Run::Ordered(0), Some(8)),
    ("map", Kind::Branch, Run::Ordered(0), Some(8)),
    ("item", Kind::Step, Run::Once, Some(9)),
    ("race", Kind::Race, Run::Once, None),
    ("racer", Kind::Step, Run::Once, None),
    ("late", Kind::Wait, Run::Once, None),
    ("batches", Kind::Batch, Run::Ordered(0), None),
    ("poll", Kind::Poll, Run::Once, None),
    ("callback", Kind::Callback, Run::Once, None),
    ("invoke", Kind::Invoke, Run::Once, None),
    ("undo", Kind::Undo, Run::Once, Some(5)),
    ("#published", Kind::Record, Run::Keyed("latest"), None),
    ("removed", Kind::Step, Run::Once, None),
];

/// Run of a call site.
#[derive(Clone, Copy)]
enum Run {
    Once,
    Ordered(u64),
    Keyed(&'static str),
}

impl Run {
    fn occurrence(self) -> Occurrence {
        match self {
            Self::Once => Occurrence::Once,
            Self::Ordered(turn) => Occurrence::Ordered(turn),
            Self::Keyed(key) => Occurrence::Keyed(key.to_owned()),
        }
    }
}

fn id_of(site: usize) -> OperationId {
    let (name, _, run, parent) = SITES[site];
    let scope = parent.map_or(OperationId::ROOT, id_of);
    OperationId::of(scope, name, &run.occurrence())
}

/// Resumes the handler from arbitrary records. It ends in some way and never panics, and a second run ends alike.
pub fn history(data: &[u8]) {
    let Ok((records, was_interrupted)) = records(&mut Unstructured::new(data)) else {
        return;
    };
    let first = resume(records.clone(), was_interrupted);
    assert_eq!(first, resume(records, was_interrupted));
}

/// Runs one invocation, and returns how it ended.
fn resume(records: Vec<Record>, was_interrupted: bool) -> String {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let new = NewExecution::new("a".parse().unwrap(), "subject", Payload::json("3"), NOW);
    let lease = Lease {
        fence: Fence {
            execution: new.id.clone(),
            token: "1".into(),
        },
        execution: Execution::queued(new),
        was_interrupted,
        crashes: 0,
    };
    let invocation =
        Invocation::new(Arc::new(Recorded(records)), lease).clock(Arc::new(Skipping::default()));
    let ended = runtime.block_on(async {
        let run = run(subject, invocation);
        tokio::time::timeout(LONGEST, run)
            .await
            .expect("the invocation hangs")
    });
    let ended = format!("{ended:?}");
    assert!(!ended.contains("panicked at"), "{ended}");
    ended
}

async fn run<F>(_handler: F, invocation: Invocation) -> Result<Ended, StoreError>
where
    F: IntoHandler,
    F::Handler: durable::Handler<()>,
{
    invocation.run::<F::Handler, ()>(&()).await
}

fn records(input: &mut Unstructured<'_>) -> arbitrary::Result<(Vec<Record>, bool)> {
    let was_interrupted = bool::arbitrary(input)?;
    let mut records = Vec::new();
    for seq in 1..=input.int_in_range(0..=12_u64)? {
        records.push(record(input, seq)?);
    }
    Ok((records, was_interrupted))
}

fn record(input: &mut Unstructured<'_>, seq: u64) -> arbitrary::Result<Record> {
    let site = input.choose_index(SITES.len())?;
    let (name, mut kind, run, parent) = SITES[site];
    if input.ratio(1, 8)? {
        kind = *input.choose(&Kind::ALL)?;
    }
    let parent = parent.map_or(OperationId::ROOT, id_of);
    let mut record = Record::started(seq, id_of(site), parent, kind, name, run.occurrence(), NOW);
    record.status = match input.int_in_range(0..=4)? {
        0 => Status::Started,
        1 => Status::Pending,
        2 => Status::Succeeded,
        3 => Status::Failed,
        // A timer is only cancelled with its race.
        _ if kind == Kind::Wait && name != "late" => Status::Started,
        _ => Status::Cancelled,
    };
    record.order = if input.ratio(1, 4)? {
        u64::arbitrary(input)?
    } else {
        seq
    };
    record.attempt = small_or_any(input)?;
    record.interruptions = small_or_any(input)?;
    record.ended_at = time(input)?;
    record.due_at = time(input)?;
    record.deadline = time(input)?;
    record.heartbeat = Option::<u64>::arbitrary(input)?.map(Duration::from_nanos);
    record.extent = Option::arbitrary(input)?;
    record.secret = input.ratio(1, 8)?;
    record.handle = Option::arbitrary(input)?;
    record.payload = payload(input)?;
    if bool::arbitrary(input)? {
        record.error = Some(OperationError::new(
            name,
            ErrorKind::Failed,
            String::arbitrary(input)?,
        ));
    }
    if input.ratio(1, 8)? {
        record.fingerprint = Some(Fingerprint::from_bytes(Arbitrary::arbitrary(input)?));
    }
    Ok(record)
}

fn small_or_any(input: &mut Unstructured<'_>) -> arbitrary::Result<u32> {
    if input.ratio(7, 8)? {
        input.int_in_range(0..=3)
    } else {
        u32::arbitrary(input)
    }
}

fn time(input: &mut Unstructured<'_>) -> arbitrary::Result<Option<Timestamp>> {
    Ok(match input.int_in_range(0..=4)? {
        0 => None,
        1 => Some(NOW),
        2 => Some(Timestamp::from_millis(NOW.as_millis() - 1000)),
        3 => Some(Timestamp::from_millis(NOW.as_millis() + 1000)),
        // Never near the end of time, where the next poll is always due, so that a poll never suspends.
        _ => Some(Timestamp::from_millis(i64::arbitrary(input)? / 2)),
    })
}

fn payload(input: &mut Unstructured<'_>) -> arbitrary::Result<Option<Payload>> {
    Ok(match input.int_in_range(0..=5)? {
        0 => None,
        1 => Some(Payload::json("7")),
        2 => Some(Payload::json("[1,2]")),
        3 => Some(Payload {
            codec: "batch-summary".into(),
            data: Vec::arbitrary(input)?.into(),
        }),
        4 => Some(Payload::json(String::arbitrary(input)?)),
        _ => Some(Payload {
            codec: String::arbitrary(input)?.into(),
            data: Vec::arbitrary(input)?.into(),
        }),
    })
}

/// A store with a history, which accepts every checkpoint.
struct Recorded(Vec<Record>);

impl CheckpointStore for Recorded {
    fn load<'a>(&'a self, _: &'a Fence, after: u64) -> BoxFuture<'a, Result<Page, StoreError>> {
        let records = self
            .0
            .iter()
            .filter(|record| record.seq > after)
            .cloned()
            .collect();
        Box::pin(async {
            Ok(Page {
                records,
                next: None,
            })
        })
    }

    fn checkpoint<'a>(
        &'a self,
        _: &'a Fence,
        _: Arc<Batch>,
    ) -> BoxFuture<'a, Result<Ack, StoreError>> {
        Box::pin(async { Ok(Ack::default()) })
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::unlimited(Durability::Memory)
    }
}

/// A clock that moves when something sleeps, and only then.
#[derive(Clone, Default)]
struct Skipping(Arc<AtomicI64>);

impl Clock for Skipping {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOW.as_millis() + self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, delay: Duration) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        let end = clock
            .0
            .load(Ordering::Relaxed)
            .saturating_add(delay)
            .min(FOREVER);
        Box::pin(async move {
            clock.0.fetch_max(end, Ordering::Relaxed);
        })
    }
}
