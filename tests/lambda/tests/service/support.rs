//! A subject on a fake, from its start to its end.

use std::path::PathBuf;

use durable_lambda_tests::{Config, Ended, Fake, Program, Record, Started, Used};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;

/// A subject that is ready to be run.
pub(crate) struct Stage {
    pub(crate) fake: Fake,
    folder: TempDir,
    handler: &'static str,
}

/// What is left of a run.
pub(crate) struct Done {
    pub(crate) ended: Ended,
    pub(crate) record: Record,
    pub(crate) used: Used,
    pub(crate) effects: Vec<String>,
    pub(crate) started: Started,
}

impl Stage {
    pub(crate) async fn new(handler: &'static str, config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut stage = Self {
            fake: Fake::start(config).await,
            folder,
            handler,
        };
        let program = stage.program(handler);
        stage.fake.run(program);
        stage
    }

    /// A stage where nothing is out of the ordinary.
    pub(crate) async fn plain(handler: &'static str) -> Self {
        Self::new(handler, Config::default()).await
    }

    pub(crate) fn program(&self, handler: &str) -> Program {
        Program::new(env!("CARGO_BIN_EXE_subject"))
            .env("SUBJECT", handler)
            .env("SUBJECT_EFFECTS", self.effects_file().display().to_string())
    }

    fn effects_file(&self) -> PathBuf {
        self.folder.path().join("effects")
    }

    pub(crate) async fn run(&self, input: impl Into<Value>) -> Done {
        let started = self.start(input);
        self.finish(started).await
    }

    pub(crate) fn start(&self, input: impl Into<Value>) -> Started {
        self.fake.execute(self.handler, &input.into())
    }

    pub(crate) async fn finish(&self, started: Started) -> Done {
        let ended = started.ended().await;
        let effects = std::fs::read_to_string(self.effects_file()).unwrap_or_default();
        Done {
            ended,
            record: self.fake.record(),
            used: started.used(),
            effects: effects.lines().map(str::to_owned).collect(),
            started,
        }
    }
}

impl Done {
    /// The result of an execution that succeeded.
    #[track_caller]
    pub(crate) fn result<T: DeserializeOwned>(&self) -> T {
        match &self.ended {
            Ended::Succeeded(text) => serde_json::from_str(text).unwrap(),
            other => panic!("{other:?}: {:#?}", self.record),
        }
    }

    /// Type and message of the error of an execution that failed.
    #[track_caller]
    pub(crate) fn error(&self) -> (String, String) {
        match &self.ended {
            Ended::Failed(error) => (
                error.error_type.clone().unwrap_or_default(),
                error.error_message.clone().unwrap_or_default(),
            ),
            other => panic!("{other:?}: {:#?}", self.record),
        }
    }

    pub(crate) fn calls(&self) -> usize {
        self.record.checkpoints.len()
    }

    pub(crate) fn invocations(&self) -> usize {
        self.record.invocations.len()
    }

    /// Fails unless each of `expected` was done once and nothing else was.
    #[track_caller]
    pub(crate) fn assert_effects(&self, expected: impl IntoIterator<Item = String>) {
        let mut found = self.effects.clone();
        let mut expected: Vec<String> = expected.into_iter().collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}

/// `what 0`, `what 1`, …
pub(crate) fn numbered(what: &str, n: u64) -> impl Iterator<Item = String> {
    (0..n).map(move |i| format!("{what} {i}"))
}
