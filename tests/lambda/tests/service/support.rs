//! Harness that runs a subject on a fake.

use std::path::PathBuf;

use durable_lambda_tests::{
    Config, ExecutionHandle, ExecutionOutcome, Fake, Program, Recording, Usage,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;

/// Fake with a subject that is ready to run.
pub(crate) struct Harness {
    pub(crate) fake: Fake,
    folder: TempDir,
    handler: &'static str,
}

/// Results of a finished execution.
pub(crate) struct Finished {
    pub(crate) outcome: ExecutionOutcome,
    pub(crate) recording: Recording,
    pub(crate) usage: Usage,
    pub(crate) effects: Vec<String>,
    pub(crate) execution: ExecutionHandle,
}

impl Harness {
    pub(crate) async fn new(handler: &'static str, config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut harness = Self {
            fake: Fake::start(config).await,
            folder,
            handler,
        };
        let program = harness.program(handler);
        harness.fake.run(program);
        harness
    }

    /// Creates a harness with the default settings.
    pub(crate) async fn with_defaults(handler: &'static str) -> Self {
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

    pub(crate) async fn run(&self, input: impl Into<Value>) -> Finished {
        let execution = self.start(input);
        self.finish(execution).await
    }

    pub(crate) fn start(&self, input: impl Into<Value>) -> ExecutionHandle {
        self.fake.execute(self.handler, &input.into())
    }

    pub(crate) async fn finish(&self, execution: ExecutionHandle) -> Finished {
        let outcome = execution.outcome().await;
        let effects = std::fs::read_to_string(self.effects_file()).unwrap_or_default();
        Finished {
            outcome,
            recording: self.fake.recording(),
            usage: execution.usage(),
            effects: effects.lines().map(str::to_owned).collect(),
            execution,
        }
    }
}

impl Finished {
    /// Returns the result, or panics if the execution did not succeed.
    #[track_caller]
    pub(crate) fn result<T: DeserializeOwned>(&self) -> T {
        match &self.outcome {
            ExecutionOutcome::Succeeded(text) => serde_json::from_str(text).unwrap(),
            other => panic!("{other:?}: {:#?}", self.recording),
        }
    }

    /// Returns type and message of the error, or panics if the execution did not fail.
    #[track_caller]
    pub(crate) fn error(&self) -> (String, String) {
        match &self.outcome {
            ExecutionOutcome::Failed(error) => (
                error.error_type.clone().unwrap_or_default(),
                error.error_message.clone().unwrap_or_default(),
            ),
            other => panic!("{other:?}: {:#?}", self.recording),
        }
    }

    pub(crate) fn calls(&self) -> usize {
        self.recording.checkpoints.len()
    }

    pub(crate) fn invocations(&self) -> usize {
        self.recording.invocations.len()
    }

    /// Asserts that the effects are exactly the expected ones, in any order.
    #[track_caller]
    pub(crate) fn assert_effects(&self, expected: impl IntoIterator<Item = String>) {
        let mut found = self.effects.clone();
        let mut expected: Vec<String> = expected.into_iter().collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}

/// Returns `effect 0`, `effect 1`, …
pub(crate) fn numbered(effect: &str, n: u64) -> impl Iterator<Item = String> {
    (0..n).map(move |i| format!("{effect} {i}"))
}
