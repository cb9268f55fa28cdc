//! Scripted answers, failures and durations of a test, by operation name.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::codec;
use crate::model::error::{BoxError, ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::model::record::Completion;
use crate::runtime::failure::{Failure, IntoFailure};

/// Pattern for operation names.
///
/// A path with its scopes (`files[a.csv]/load[3]`), a display name (`load[3]`), or the name of a call site, which
/// matches all its occurrences (`load`).
#[derive(Debug, Clone)]
pub(super) struct Pattern(String);

impl Pattern {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        let display_name = last(path);
        self.0 == path || self.0 == display_name || self.0 == name(display_name)
    }
}

/// The display name at the end of a path. A slash inside a key does not separate scopes.
pub(super) fn last(path: &str) -> &str {
    let mut depth = 0_u32;
    let mut start = 0;
    for (at, sign) in path.char_indices() {
        match sign {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => start = at + 1,
            _ => {}
        }
    }
    &path[start..]
}

fn name(display_name: &str) -> &str {
    display_name.split('[').next().unwrap_or(display_name)
}

type MakeFailure = Box<dyn Fn() -> Failure + Send + Sync>;
type Child = Box<dyn Fn(&Payload) -> Completion + Send + Sync>;

/// All scripted answers, failures and durations of a test.
#[derive(Default)]
pub(super) struct Script {
    callbacks: Vec<(Pattern, Duration, Completion)>,
    /// Names and payloads, and how long after the start they are sent.
    messages: Vec<(String, Duration, Payload)>,
    children: Vec<(Pattern, Child)>,
    failures: Vec<(Pattern, MakeFailure, u32)>,
    durations: Vec<(Pattern, Duration)>,
}

impl Script {
    pub(super) fn callback(&mut self, name: &str, after: Duration, outcome: Completion) {
        self.callbacks.push((Pattern::new(name), after, outcome));
    }

    pub(super) fn fail_step<E>(&mut self, name: &str, error: E, times: u32)
    where
        E: Into<BoxError> + Clone + Send + Sync + 'static,
    {
        let fail = Box::new(move || error.clone().into_failure());
        self.failures.push((Pattern::new(name), fail, times));
    }

    pub(super) fn time_out_step(&mut self, name: &str, times: u32) {
        let fail = || {
            let message = "the attempt timed out, as scripted by the test";
            Failure::of_engine(ErrorKind::TimedOut, message.to_owned())
        };
        self.failures
            .push((Pattern::new(name), Box::new(fail), times));
    }

    pub(super) fn takes(&mut self, name: &str, duration: Duration) {
        self.durations.push((Pattern::new(name), duration));
    }

    pub(super) fn invoke<I, O, E>(
        &mut self,
        name: &str,
        answer: impl Fn(I) -> Result<O, E> + Send + Sync + 'static,
    ) where
        I: DeserializeOwned,
        O: Serialize,
        E: Into<BoxError>,
    {
        let name = name.to_owned();
        let operation = name.clone();
        let child = move |input: &Payload| {
            let answered = serde_json::from_slice(&input.data)
                .map_err(|error| {
                    let expected = std::any::type_name::<I>();
                    BoxError::from(format!(
                        "its input does not decode as `{expected}`: {error}"
                    ))
                })
                .and_then(|input| answer(input).map_err(Into::into));
            match answered {
                Ok(output) => succeed(&operation, &output),
                Err(error) => Completion::Fail(error_of(&operation, &error)),
            }
        };
        self.children.push((Pattern::new(name), Box::new(child)));
    }

    /// The answer to the callback at `path`, and how long after its start it comes.
    pub(super) fn answer(&self, path: &str) -> Option<(Duration, &Completion)> {
        let entry = self.callbacks.iter().find(|(of, ..)| of.matches(path));
        entry.map(|(_, after, outcome)| (*after, outcome))
    }

    pub(super) fn message(&mut self, name: &str, after: Duration, payload: Payload) {
        self.messages.push((name.to_owned(), after, payload));
    }

    /// The messages in the order in which they were scripted.
    pub(super) fn messages(&self) -> &[(String, Duration, Payload)] {
        &self.messages
    }

    pub(super) fn has_external_events(&self) -> bool {
        !self.callbacks.is_empty() || !self.messages.is_empty()
    }

    pub(super) fn has_children(&self) -> bool {
        !self.children.is_empty()
    }

    /// The result of the invoked execution, matched by the path of the operation or by the handler.
    pub(super) fn child(&self, path: &str, handler: &str, input: &Payload) -> Option<Completion> {
        let known = |of: &Pattern| of.matches(path) || of.matches(handler);
        let entry = self.children.iter().find(|(of, _)| known(of));
        entry.map(|(_, answer)| answer(input))
    }

    /// The failure that replaces this attempt at `path`. Entries for the same operation apply one after another.
    pub(super) fn failure(&self, path: &str, attempt: u32) -> Option<Failure> {
        let mut until = 0;
        let matching = self.failures.iter().filter(|(of, ..)| of.matches(path));
        for (_, fail, times) in matching {
            until += times;
            if attempt <= until {
                return Some(fail());
            }
        }
        None
    }

    /// The virtual time that the body at `path` takes.
    pub(super) fn duration(&self, path: &str) -> Duration {
        let entry = self.durations.iter().find(|(of, _)| of.matches(path));
        entry.map_or(Duration::ZERO, |(_, duration)| *duration)
    }
}

/// A completion with this value, or with an error if it cannot be encoded.
pub(super) fn succeed<T: Serialize>(name: &str, value: &T) -> Completion {
    match codec::encode_one_way(value) {
        Ok(text) => Completion::Succeed(Payload::json(text)),
        Err(error) => {
            let message = format!("the value that the test gives cannot be encoded: {error}");
            Completion::Fail(OperationError::new(name, ErrorKind::Codec, message))
        }
    }
}

/// A completion with this error.
pub(super) fn fail(name: &str, error: impl Into<BoxError>) -> Completion {
    Completion::Fail(error_of(name, &error.into()))
}

fn error_of(name: &str, error: &BoxError) -> OperationError {
    OperationError::new(name, ErrorKind::Failed, "").describe(&**error, "")
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_name_matches_all_occurrences_and_a_path_only_itself() {
        let path = "files[in/a.csv]/load[3]";
        for matching in [path, "load[3]", "load"] {
            assert!(Pattern::new(matching).matches(path), "{matching}");
        }
        for other in ["files", "load[4]", "a.csv]/load[3]", "load[3"] {
            assert!(!Pattern::new(other).matches(path), "{other}");
        }
    }
}
