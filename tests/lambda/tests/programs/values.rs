//! Tests that the service returns values unchanged, live and on replay.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use durable::{BoxError, Codec as _, Json};
use durable_lambda_tests::{ExecutionOutcome, Fake};

#[path = "../../../it/round_trip.rs"]
mod round_trip;
#[path = "../../../it/sample.rs"]
mod sample;

use crate::external::ExternalParties;
use crate::harness::config;
use crate::subject::{self, Log};
use round_trip::{Parcel, carry, carry_binary, faults};
use sample::{Binary, Sample, bytes_of, random};

/// State of the handlers, which log the values they receive.
pub(crate) struct World(Log);

impl World {
    pub(crate) fn saw(&self, place: &str, value: String) {
        self.0.note(&format!("saw {place} {value}"));
    }

    pub(crate) async fn answer(&self, callback: String, value: &Sample) -> Result<(), BoxError> {
        let text = String::from_utf8(Json.encode(value)?)?;
        self.0.note(&format!("answer {callback} {text}"));
        Ok(())
    }

    /// Completes a callback with bytes, in the form in which an external system passes them to the service.
    pub(crate) async fn answer_bytes(
        &self,
        callback: String,
        value: Vec<u8>,
    ) -> Result<(), BoxError> {
        let text = STANDARD.encode(value);
        let line = format!("answer {callback} data:application/octet-stream;base64,{text}");
        self.0.note(&line);
        Ok(())
    }
}

/// Serves the function for values that JSON supports.
pub(crate) async fn serve(log: Log) -> Result<(), BoxError> {
    durable_lambda::run(carry, World(log)).await
}

/// Serves the function for binary values.
pub(crate) async fn serve_binary(log: Log) -> Result<(), BoxError> {
    durable_lambda::run(carry_binary, World(log)).await
}

/// Runs an execution. Returns its output and the values that its handler received.
async fn run(handler: &str, input: &str) -> (String, Vec<(String, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(folder.path().join("log"));
    let mut fake = Fake::start(config()).await;
    fake.manual_function("carry");
    fake.run(subject::program(handler, &log));
    let mut parties = ExternalParties::new(&fake, &log);
    let (_, outcome) = parties.run_text("values", input).await;
    fake.recording().assert_well_behaved();
    let ExecutionOutcome::Succeeded(output) = outcome else {
        panic!("{outcome:?}");
    };
    let seen = log.lines("saw ").into_iter().map(|line| {
        let (place, value) = line.split_once(' ').unwrap();
        (place.to_owned(), value.to_owned())
    });
    (output, seen.collect())
}

#[tokio::test]
async fn values_round_trip() {
    let mut random = random();
    for _ in 0..6 {
        let seed = random.u64(..);
        let parcel = Parcel::Carry(seed, Box::new(Sample::of(seed)));
        let input = String::from_utf8(Json.encode(&parcel).unwrap()).unwrap();
        let (output, seen) = run("carry", &input).await;
        let given = format!("{:?}", Sample::of(seed));
        let output: Sample = serde_json::from_str(&output).unwrap();
        assert_eq!(format!("{output:?}"), given, "seed {seed}");
        let faults = faults(&seen, |_| given.clone());
        assert!(faults.is_empty(), "seed {seed}: {}", faults.join("\n"));
    }
}

#[tokio::test]
async fn binary_values_round_trip() {
    let mut random = random();
    for _ in 0..6 {
        let seed = random.u64(..);
        let (output, seen) = run("carry_binary", &seed.to_string()).await;
        let given = format!("{:?}", Binary::of(seed));
        assert_eq!(
            serde_json::from_str::<String>(&output).unwrap(),
            given,
            "seed {seed}"
        );
        let faults = faults(&seen, |place| match place {
            "raw" | "raws" | "answer" => format!("{:?}", bytes_of(seed)),
            _ => given.clone(),
        });
        assert!(faults.is_empty(), "seed {seed}: {}", faults.join("\n"));
    }
}
