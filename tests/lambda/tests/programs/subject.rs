//! Function side of the tests: this binary, started with an environment variable that selects the handler.

use std::io::Write;
use std::path::PathBuf;

use durable::BoxError;
use durable_lambda_tests::Program;

const HANDLER: &str = "DURABLE_TEST_HANDLER";
const LOG: &str = "DURABLE_TEST_LOG";

/// File of lines that the function's processes append to.
#[derive(Debug, Clone)]
pub(crate) struct Log(PathBuf);

impl Log {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn note(&self, line: &str) {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).append(true).open(&self.0).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Returns the lines that start with `prefix`, without it.
    pub(crate) fn lines(&self, prefix: &str) -> Vec<String> {
        let text = self.text();
        let lines = text.lines().filter_map(|line| line.strip_prefix(prefix));
        lines.map(|line| line.trim_start().to_owned()).collect()
    }

    pub(crate) fn count(&self, line: &str) -> usize {
        self.text().lines().filter(|noted| *noted == line).count()
    }

    /// Returns the complete lines: another process may be writing the last one.
    fn text(&self) -> String {
        let mut text = std::fs::read_to_string(&self.0).unwrap_or_default();
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        text
    }
}

/// Returns this binary as the function `handler`, which appends its effects to `log`.
pub(crate) fn program(handler: &str, log: &Log) -> Program {
    Program::new(std::env::current_exe().unwrap())
        .arg("--exact")
        .arg("subject::serves_invocations")
        .arg("--nocapture")
        .env(HANDLER, handler)
        .env(LOG, log.0.to_str().unwrap())
}

/// Runs the handler when the binary is started as a function. In a test run it does nothing.
#[test]
fn serves_invocations() {
    let Ok(handler) = std::env::var(HANDLER) else {
        return;
    };
    let log = Log::new(std::env::var(LOG).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(serve(&handler, log)).unwrap();
}

async fn serve(handler: &str, log: Log) -> Result<(), BoxError> {
    use crate::{calls, edge_cases, interruptions, limits, time};
    use durable_lambda::run;
    match handler {
        "random" => crate::random::serve(log).await,
        "carry" => crate::values::serve(log).await,
        "carry_binary" => crate::values::serve_binary(log).await,
        "wide_map" => run(limits::wide_map, log).await,
        "large_input" => run(limits::large_input, log).await,
        "long_error" => run(limits::long_error, log).await,
        "many_quotes" => run(limits::many_quotes, log).await,
        "quoted_values" => run(limits::quoted_values, log).await,
        "long_result" => run(limits::long_result, log).await,
        "publishes" => run(edge_cases::publishes, log).await,
        "returns_beside_a_step" => run(edge_cases::returns_beside_a_step, log).await,
        "sliced_with_timer" => run(time::sliced_with_timer, log).await,
        "slow_poll" => run(time::slow_poll, log).await,
        "waits_and_retries" => run(time::waits_and_retries, log).await,
        "books_trip" => run(interruptions::books_trip, log).await,
        "approves" => run(interruptions::approves, log).await,
        "large_results" => run(interruptions::large_results, log).await,
        "growing_list" => run(interruptions::growing_list, log).await,
        "unusual_names" => run(interruptions::unusual_names, log).await,
        "execution_metadata" => run(interruptions::execution_metadata, log).await,
        "chain" => run(interruptions::chain, log).await,
        "invokes_missing" => run(interruptions::invokes_missing, log).await,
        "panics" => run(interruptions::panics, log).await,
        "empty_callback_results" => run(interruptions::empty_callback_results, log).await,
        "binary_values" => run(interruptions::binary_values, log).await,
        "charges_once" => run(interruptions::charges_once, log).await,
        "races_and_waits" => run(calls::races_and_waits, log).await,
        "two_steps" => run(calls::two_steps, log).await,
        "many_scopes" => {
            let function = durable::lambda::function(limits::many_scopes);
            function.max_operations(100).state(log).run().await
        }
        "polls" => {
            let function = durable_lambda::function(calls::polls);
            function.max_operations(100).state(log).run().await
        }
        other => Err(format!("unknown handler `{other}`").into()),
    }
}
