//! Result of a test run, and assertions on it.

use std::fmt;

use serde::Serialize;

use super::boundaries::Boundaries;
use super::diff::diff;
use super::history::{History, Operation};
use super::process::Stage;
use super::world::World;
use crate::engine::Drift;
use crate::model::codec;
use crate::model::error::OperationError;
use crate::model::json::Exact;
use crate::model::payload::Payload;
use crate::run::{Report, RunError};
use crate::runtime::handler::HandlerOutput;
use crate::{ExecutionId, Timestamp};

/// How a test run ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum End<O> {
    /// The handler returned this.
    Succeeded(O),
    /// The handler failed with this error, or was cancelled.
    Failed(OperationError),
    /// Code and history disagree.
    Blocked(String),
    /// The limit on invocations was reached. The next invocation is due at this time, or at the next external event.
    Suspended(Option<Timestamp>),
    /// The execution waits for these operations, and nothing in the test will complete them.
    Waits(Vec<String>),
    /// The execution could not be run.
    Refused(RunError),
}

impl<O: HandlerOutput> End<O> {
    pub(super) fn of(stage: Option<Result<Stage, RunError>>) -> Self {
        match stage {
            None => Self::Suspended(None),
            Some(Err(error)) => Self::Refused(error),
            Some(Ok(Stage::Succeeded(output))) => Self::decoded(&output),
            Some(Ok(Stage::Failed(error))) => Self::Failed(error),
            Some(Ok(Stage::Blocked(report))) => Self::Blocked(report),
            Some(Ok(Stage::Suspended(until))) => Self::Suspended(until),
            Some(Ok(Stage::Waits(operations))) => Self::Waits(operations),
            Some(Ok(Stage::Died(boundary))) => {
                Self::Refused(RunError::Usage(format!("the process died {boundary}")))
            }
        }
    }

    fn decoded(output: &Payload) -> Self {
        match O::from_json(&output.data) {
            Ok(output) => Self::Succeeded(output),
            Err(error) => {
                let wanted = std::any::type_name::<O>();
                let message = format!("the output does not decode as `{wanted}`: {error}");
                Self::Refused(RunError::Codec(message))
            }
        }
    }
}

impl<O> fmt::Display for End<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded(_) => f.write_str("it succeeded"),
            Self::Failed(error) => write!(f, "it failed: {error}"),
            Self::Blocked(report) => write!(f, "it is blocked: {report}"),
            Self::Suspended(None) => f.write_str("it is suspended until an external event"),
            Self::Suspended(Some(until)) => write!(f, "it is suspended until {until}"),
            Self::Waits(operations) => write!(
                f,
                "it waits for {}, and nothing in the test completes that: provide an answer, such as \
                 `.callback(\"name\", value)` or `.invoke(\"name\", |input| …)`",
                operations.join(", ")
            ),
            Self::Refused(error) => write!(f, "it could not be run: {error}"),
        }
    }
}

/// Result of a test run.
#[derive(Debug)]
#[must_use = "a test asserts something about its run"]
pub struct TestOutcome<O> {
    end: End<O>,
    history: History,
    others: Vec<History>,
    report: Report<Payload>,
    begun: Vec<(String, u32)>,
}

/// Error returned when a run has no output. Shows how the run ended and its history.
///
/// `Debug` shows the same text as `Display`, for `unwrap`.
pub struct NoOutput(String);

impl fmt::Display for NoOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NoOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoOutput {}

impl<O> TestOutcome<O> {
    pub(super) async fn new(
        world: &World,
        id: &ExecutionId,
        end: End<O>,
        boundaries: &Boundaries,
        report: Report<Payload>,
    ) -> Self {
        let mut others = world.histories().await.unwrap_or_default();
        others.retain(|history| history.id() != id);
        Self {
            end,
            history: world.history(id).await,
            others,
            report,
            begun: boundaries.begun().into_values().collect(),
        }
    }

    /// How the run ended.
    pub fn end(&self) -> &End<O> {
        &self.end
    }

    /// The value that the handler returned.
    ///
    /// # Errors
    ///
    /// Returns [`NoOutput`], which shows how the run ended and its history, if the handler did not succeed.
    pub fn output(&self) -> Result<&O, NoOutput> {
        match &self.end {
            End::Succeeded(output) => Ok(output),
            _ => Err(NoOutput(self.to_string())),
        }
    }

    /// Returns the value that the handler returned.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`output`](Self::output).
    pub fn into_output(self) -> Result<O, NoOutput> {
        let text = self.to_string();
        match self.end {
            End::Succeeded(output) => Ok(output),
            _ => Err(NoOutput(text)),
        }
    }

    /// The error that the handler failed with, or the cancellation.
    pub fn error(&self) -> Option<&OperationError> {
        match &self.end {
            End::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// The report about how code and history disagree, if the execution is blocked.
    pub fn blocked(&self) -> Option<&str> {
        match &self.end {
            End::Blocked(report) => Some(report),
            _ => None,
        }
    }

    /// The recorded operations.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The histories of the other executions in the same world: invoked executions, and those started by
    /// `continue_as!`.
    pub fn others(&self) -> &[History] {
        &self.others
    }

    /// Number of invocations: times the handler was run from the top.
    pub fn invocations(&self) -> u64 {
        self.report.invocations
    }

    /// Number of attempts recorded for the operation `name`.
    pub fn attempts(&self, name: &str) -> u32 {
        self.history.get(name).map_or(0, Operation::attempts)
    }

    /// Number of times a body of `name` began, including attempts that the test made fail.
    pub fn ran(&self, name: &str) -> u32 {
        let pattern = super::script::Pattern::new(name);
        let matching = self.begun.iter().filter(|(path, _)| pattern.matches(path));
        matching.map(|(_, count)| count).sum()
    }

    /// Harmless differences between history and code.
    pub fn drift(&self) -> &[Drift] {
        &self.report.drift
    }

    /// Warnings about futures that the handler awaits besides durable calls.
    pub fn warnings(&self) -> &[String] {
        &self.report.warnings
    }

    /// Asserts that the history consists of exactly these operations, in this order.
    ///
    /// # Panics
    ///
    /// Panics with the differences if it does not.
    #[track_caller]
    pub fn assert_names<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> &Self {
        let expected: Vec<&str> = names.into_iter().collect();
        let difference = diff(&expected, &self.history.names());
        assert!(
            difference.is_none(),
            "the history of `{}` differs (- expected, + recorded):\n{}{}",
            self.history.id(),
            difference.unwrap_or_default(),
            self.end
        );
        self
    }

    /// Asserts that the history equals that of `other`.
    ///
    /// # Panics
    ///
    /// Panics with the differences if it does not.
    #[track_caller]
    pub fn assert_same_history<P>(&self, other: &TestOutcome<P>) -> &Self {
        let difference = self.history.diff(&other.history);
        assert!(
            difference.is_none(),
            "the histories differ (- `{}`, + `{}`):\n{}",
            self.history.id(),
            other.history.id(),
            difference.unwrap_or_default()
        );
        self
    }

    /// Asserts that the operation `name` has ended with this value.
    ///
    /// # Panics
    ///
    /// Panics with the history if it has not.
    #[track_caller]
    pub fn assert_value<T: Serialize>(&self, name: &str, value: T) -> &Self {
        let expected = codec::encode_one_way(&value).ok();
        let expected = expected.and_then(|text| Exact::parse(&text).ok());
        let found = self.history.get(name);
        let recorded: Option<Exact> = found.and_then(Operation::value);
        assert!(
            expected.is_some() && recorded == expected,
            "`{name}` was expected to end with {}, {}\n{self}",
            display(expected.as_ref()),
            match found {
                None => "but is not recorded".to_owned(),
                Some(operation) => format!("but is recorded as\n    {}", operation.line()),
            }
        );
        self
    }
}

fn display(value: Option<&Exact>) -> String {
    value.map_or("a value that JSON cannot hold".into(), ToString::to_string)
}

impl<O> fmt::Display for TestOutcome<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let execution = self.history.execution();
        let (id, handler) = (&execution.id, &execution.handler);
        writeln!(f, "execution `{id}` of `{handler}`: {}", self.end)?;
        write!(f, "  its history:\n{}", self.history)
    }
}
