//! A fake with a function that runs one handler.

use durable_lambda_tests::{Config, Ended, Fake, Quotas, Record, Started};
use serde_json::Value;

use crate::outside::Outside;
use crate::subject::{self, Log};

pub(crate) struct Scene {
    pub(crate) fake: Fake,
    pub(crate) log: Log,
    _folder: tempfile::TempDir,
}

/// A service that gives up late, so that a failure is not lost among repetitions.
pub(crate) fn config() -> Config {
    Config {
        pace: 10_000.0,
        quotas: Quotas {
            failed_invocations: 20,
            ..Quotas::default()
        },
        ..Config::default()
    }
}

impl Scene {
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

    /// Runs an execution to its end.
    pub(crate) async fn run(&self, input: impl Into<Value>) -> (Started, Ended) {
        let mut outside = Outside::new(&self.fake, &self.log);
        outside.run("scene", &input.into()).await
    }

    /// What was done, when nothing was that is against the rules.
    #[track_caller]
    pub(crate) fn well_behaved(&self) -> Record {
        let record = self.fake.record();
        record.assert_well_behaved();
        record
    }
}

/// The value that an execution ended with.
#[track_caller]
pub(crate) fn value(ended: &Ended) -> Value {
    match ended {
        Ended::Succeeded(text) => serde_json::from_str(text).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The message of the error that an execution ended with.
#[track_caller]
pub(crate) fn failure(ended: &Ended) -> String {
    match ended {
        Ended::Failed(error) => crate::outside::message(error),
        other => panic!("{other:?}"),
    }
}
