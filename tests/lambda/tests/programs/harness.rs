//! Harness: a fake with a function that runs one handler.

use durable_lambda_tests::{Config, ExecutionHandle, ExecutionOutcome, Fake, Quotas, Recording};
use serde_json::Value;

use crate::external::ExternalParties;
use crate::subject::{self, Log};

pub(crate) struct Harness {
    pub(crate) fake: Fake,
    pub(crate) log: Log,
    _folder: tempfile::TempDir,
}

/// Returns settings with many allowed failures, so that injected faults do not fail the execution.
pub(crate) fn config() -> Config {
    Config {
        speedup: 10_000.0,
        quotas: Quotas {
            failed_invocations: 20,
            ..Quotas::default()
        },
        ..Config::default()
    }
}

impl Harness {
    pub(crate) async fn new(handler: &str, config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::new(folder.path().join("log"));
        let mut fake = Fake::start(config).await;
        fake.run(subject::program(handler, &log));
        Self {
            fake,
            log,
            _folder: folder,
        }
    }

    /// Runs an execution until it ends.
    pub(crate) async fn run(&self, input: impl Into<Value>) -> (ExecutionHandle, ExecutionOutcome) {
        let mut parties = ExternalParties::new(&self.fake, &self.log);
        parties.run("scene", &input.into()).await
    }

    /// Asserts that the function broke no rule of the service, and returns the recording.
    #[track_caller]
    pub(crate) fn assert_well_behaved(&self) -> Recording {
        let recording = self.fake.recording();
        recording.assert_well_behaved();
        recording
    }
}

/// Returns the result of an execution, or panics if it did not succeed.
#[track_caller]
pub(crate) fn value(outcome: &ExecutionOutcome) -> Value {
    match outcome {
        ExecutionOutcome::Succeeded(text) => serde_json::from_str(text).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Returns the error message of an execution, or panics if it did not fail.
#[track_caller]
pub(crate) fn failure(outcome: &ExecutionOutcome) -> String {
    match outcome {
        ExecutionOutcome::Failed(error) => crate::external::message(error),
        other => panic!("{other:?}"),
    }
}
