//! Values come back from a checkpoint bit for bit; values that would not are rejected.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::{
    AesGcm, ExecutionStatus, ExecutionStore as _, MemoryStore, SealedStore, Store, StoreErrorKind,
};
use durable::{Client, Codec, Json, MessagePack, Raw, Text};

#[path = "round_trip.rs"]
mod round_trip;
#[path = "sample.rs"]
mod sample;

use crate::support::{Crash, TokioClock, process};
use round_trip::{Parcel, carry, carry_binary, faults};
use sample::{Binary, Sample, bytes_of, random};

/// Notes the values that the handlers see, and completes their callbacks.
pub(crate) struct World {
    seen: Mutex<Vec<(String, String)>>,
    client: Client,
}

impl World {
    fn new(store: &Arc<dyn Store>) -> Self {
        Self {
            seen: Mutex::default(),
            client: Client::new(Arc::clone(store)),
        }
    }

    pub(crate) fn saw(&self, place: &str, value: String) {
        self.seen.lock().unwrap().push((place.to_owned(), value));
    }

    pub(crate) async fn answer(&self, callback: String, value: &Sample) -> Result<(), BoxError> {
        ignore_conflict(self.client.complete(&callback, value).await)
    }

    pub(crate) async fn answer_bytes(
        &self,
        callback: String,
        value: Vec<u8>,
    ) -> Result<(), BoxError> {
        ignore_conflict(self.client.complete_with(&callback, Raw, &value).await)
    }
}

/// Ignores conflicts, because a submit step may run again.
fn ignore_conflict(outcome: Result<(), durable::store::StoreError>) -> Result<(), BoxError> {
    match outcome {
        Err(error) if error.kind() != StoreErrorKind::Conflict => Err(error.into()),
        _ => Ok(()),
    }
}

/// Passes samples of these seeds through the store, live and replayed.
async fn round_trip(store: Arc<dyn Store>, seeds: &[u64]) {
    for &seed in seeds {
        let world = World::new(&store);
        let parcel = Parcel::Carry(seed, Box::new(Sample::of(seed)));
        let run = durable::run(carry, format!("json-{seed}"), parcel)
            .clock(TokioClock::shared())
            .suspend_after(Duration::ZERO);
        let output = run.state(&world).store(Arc::clone(&store)).await;
        let given = format!("{:?}", Sample::of(seed));
        assert_eq!(format!("{:?}", output.unwrap()), given, "of seed {seed}");
        let faults = faults(&world.seen.lock().unwrap(), |_| given.clone());
        assert!(faults.is_empty(), "of seed {seed}: {}", faults.join("\n"));
    }
}

async fn round_trip_binary(store: Arc<dyn Store>, seeds: &[u64]) {
    for &seed in seeds {
        let world = World::new(&store);
        let run = durable::run(carry_binary, format!("binary-{seed}"), seed)
            .clock(TokioClock::shared())
            .suspend_after(Duration::ZERO);
        let output = run.state(&world).store(Arc::clone(&store)).await.unwrap();
        let given = format!("{:?}", Binary::of(seed));
        assert_eq!(output, given, "of seed {seed}");
        let expected = |place: &str| match place {
            "raw" | "raws" | "answer" => format!("{:?}", bytes_of(seed)),
            _ => given.clone(),
        };
        let faults = faults(&world.seen.lock().unwrap(), expected);
        assert!(faults.is_empty(), "of seed {seed}: {}", faults.join("\n"));
    }
}

fn seeds(count: usize) -> Vec<u64> {
    let mut random = random();
    (0..count).map(|_| random.u64(..)).collect()
}

async fn round_trip_all(store: impl Store, count: usize) {
    let store: Arc<dyn Store> = Arc::new(store);
    let seeds = seeds(count);
    round_trip(Arc::clone(&store), &seeds).await;
    round_trip_binary(store, &seeds).await;
}

#[tokio::test(start_paused = true)]
async fn every_value_survives_the_memory_store() {
    round_trip_all(MemoryStore::new(), 30).await;
}

#[tokio::test(start_paused = true)]
async fn every_value_survives_the_sqlite_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("a.db")).await.unwrap();
    round_trip_all(store, 15).await;
}

#[tokio::test(start_paused = true)]
async fn every_value_survives_the_sealed_store() {
    let sealing = AesGcm::new("k1", &[7; 32]);
    let store = SealedStore::new(MemoryStore::new(), [sealing]).unwrap();
    round_trip_all(store, 15).await;
}

fn through<T, C: Codec<T>>(codec: &C, value: &T) -> T {
    codec.decode(&codec.encode(value).unwrap()).unwrap()
}

#[test]
fn codecs_preserve_random_bit_patterns() {
    let mut random = random();
    for _ in 0..100_000 {
        let (double, single) = (
            f64::from_bits(random.u64(..)),
            f32::from_bits(random.u32(..)),
        );
        assert_eq!(through(&MessagePack, &double).to_bits(), double.to_bits());
        assert_eq!(through(&MessagePack, &single).to_bits(), single.to_bits());
        if double.is_finite() {
            assert_eq!(through(&Json, &double).to_bits(), double.to_bits());
        }
        if single.is_finite() {
            assert_eq!(through(&Json, &single).to_bits(), single.to_bits());
        }
    }
    for _ in 0..300 {
        let seed = random.u64(..);
        let sample = Sample::of(seed);
        assert_eq!(
            format!("{:?}", through(&Json, &sample)),
            format!("{sample:?}"),
            "of seed {seed}"
        );
        let binary = Binary::of(seed);
        assert_eq!(
            format!("{:?}", through(&MessagePack, &binary)),
            format!("{binary:?}"),
            "of seed {seed}"
        );
    }
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(through(&Raw, &bytes), bytes);
    assert_eq!(Raw.encode(&bytes).unwrap(), bytes);
    let shared = bytes::Bytes::from(bytes);
    assert_eq!(through(&Raw, &shared), shared);
    assert_eq!(through(&Text, &"\0\u{2028}".to_owned()), "\0\u{2028}");
}

#[durable]
async fn measures(_state: &(), finite: bool) -> Result<f64, BoxError> {
    let value = if finite { 0.1 } else { f64::NAN };
    let in_a_step = step!("measure", Ok::<_, String>(value)).await;
    if let Err(error) = in_a_step {
        assert_eq!(error.kind(), ErrorKind::Codec);
        assert_eq!(error.attempts(), 1, "it is not retried");
        assert!(
            error.message().contains("NaN cannot be written as JSON"),
            "{error}"
        );
        assert!(
            error.message().contains("codec = durable::MessagePack"),
            "{error}"
        );
    }
    let carried = step!("carried", codec = MessagePack, Ok::<_, String>(value)).await?;
    assert_eq!(carried.to_bits(), value.to_bits());
    Ok(carried)
}

#[tokio::test]
async fn nan_is_an_error_of_the_call_or_of_the_handler() {
    let store = Arc::new(MemoryStore::new());
    let finite = durable::run(measures, "finite", true).store(Arc::clone(&store));
    assert_eq!(finite.await.unwrap(), 0.1);
    let error = durable::run(measures, "nan", false)
        .store(Arc::clone(&store))
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("the output cannot be encoded: NaN cannot be written as JSON"),
        "{text}"
    );
    let execution = store.get(&"nan".parse().unwrap()).await.unwrap();
    assert_eq!(execution.error.unwrap().kind(), ErrorKind::Codec);
}

/// Output whose encoding panics.
struct Explosive;

impl serde::Serialize for Explosive {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("boom")
    }
}

impl<'de> serde::Deserialize<'de> for Explosive {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

#[durable]
async fn explodes(undone: &AtomicU32) -> Result<Explosive, BoxError> {
    step!(
        "book",
        undo = |_| {
            undone.fetch_add(1, Ordering::SeqCst);
            Ok::<_, String>(())
        },
        Ok::<_, String>(1)
    )
    .await?;
    Ok(Explosive)
}

#[tokio::test]
async fn a_panic_while_the_output_is_encoded_is_an_error_of_the_handler() {
    let store = Arc::new(MemoryStore::new());
    let undone = AtomicU32::new(0);
    let run = durable::run(explodes, "a", ()).state(&undone);
    let error = run.store(Arc::clone(&store)).await.err().unwrap();
    assert!(error.to_string().contains("boom"), "{error}");
    let execution = store.get(&"a".parse().unwrap()).await.unwrap();
    assert_eq!(execution.status, ExecutionStatus::Failed);
    assert_eq!(undone.into_inner(), 1);
}

#[durable]
async fn counts(_state: &(), from: u128) -> Result<u128, BoxError> {
    Ok(from + 1)
}

#[tokio::test]
async fn inputs_beyond_64_bits_are_distinguished() {
    let store = Arc::new(MemoryStore::new());
    let run = |from| durable::run(counts, "a", from).store(Arc::clone(&store));
    assert_eq!(run(1 << 100).await.unwrap(), (1 << 100) + 1);
    assert_eq!(run(1 << 100).await.unwrap(), (1 << 100) + 1);
    let error = run((1 << 100) + 1).await.unwrap_err();
    assert!(
        error.to_string().contains("was started with another input"),
        "{error}"
    );
}

#[durable]
async fn quoted(rate: &f64, n: u32) -> Result<u32, BoxError> {
    step!("quote", with = rate, Ok::<_, String>(n)).await?;
    Ok(step!("order", Ok::<_, String>(n)).await?)
}

#[tokio::test]
async fn an_input_recorded_inexactly_by_an_older_release_still_matches() {
    // Older releases read the first number as the second one, so a record of the second matches both.
    let (rate, read_as) = (435.238_373_872_940_77, 435.238_373_872_940_8);
    for (now, same) in [(rate, true), (read_as, true), (435.2, false)] {
        let memory = MemoryStore::new();
        let probe = process(&memory, Crash::After(1));
        let first = durable::run(quoted, "a", 1)
            .state(&read_as)
            .store(Arc::clone(&probe));
        assert!(probe.survive(first.into_future()).await.is_none());
        drop(probe);
        let again = durable::run(quoted, "a", 1).state(&now).store(memory).await;
        assert_eq!(again.is_ok(), same, "{now}: {again:?}");
    }
}
