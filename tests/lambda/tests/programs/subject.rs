//! The function's side: this binary again, told by an environment variable which handler it is.

use std::io::Write;
use std::path::PathBuf;

use durable::BoxError;
use durable_lambda_tests::Program;

const HANDLER: &str = "DURABLE_TEST_HANDLER";
const LOG: &str = "DURABLE_TEST_LOG";

/// A file of lines that outlives the processes that write them.
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

    /// The lines so far that begin with `word`, without it.
    pub(crate) fn lines(&self, word: &str) -> Vec<String> {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.strip_prefix(word));
        lines.map(|line| line.trim_start().to_owned()).collect()
    }

    pub(crate) fn count(&self, line: &str) -> usize {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().filter(|noted| *noted == line).count()
    }
}

/// This binary as the function `handler`, which notes what it does in `log`.
pub(crate) fn program(handler: &str, log: &Log) -> Program {
    Program::new(std::env::current_exe().unwrap())
        .arg("--exact")
        .arg("subject::is_a_function")
        .arg("--nocapture")
        .env(HANDLER, handler)
        .env(LOG, log.0.to_str().unwrap())
}

/// Does nothing unless it was started as a function.
#[test]
fn is_a_function() {
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
    use crate::{calls, limits, odd, shapes, time};
    use durable_lambda::run;
    match handler {
        "random" => crate::random::serve(log).await,
        "carry" => crate::values::serve(log).await,
        "carry_binary" => crate::values::serve_binary(log).await,
        "wide" => run(limits::wide, log).await,
        "large_input" => run(limits::large_input, log).await,
        "long_error" => run(limits::long_error, log).await,
        "many_quotes" => run(limits::many_quotes, log).await,
        "quoted_values" => run(limits::quoted_values, log).await,
        "long_result" => run(limits::long_result, log).await,
        "returns_beside_a_step" => run(odd::returns_beside_a_step, log).await,
        "sliced_beside" => run(time::sliced_beside, log).await,
        "counts_up" => run(time::counts_up, log).await,
        "waits_and_retries" => run(time::waits_and_retries, log).await,
        "books" => run(shapes::books, log).await,
        "approves" => run(shapes::approves, log).await,
        "large_wholes" => run(shapes::large_wholes, log).await,
        "grows" => run(shapes::grows, log).await,
        "names" => run(shapes::names, log).await,
        "same_every_time" => run(shapes::same_every_time, log).await,
        "chain" => run(shapes::chain, log).await,
        "invokes_nobody" => run(shapes::invokes_nobody, log).await,
        "panics" => run(shapes::panics, log).await,
        "empty_answers" => run(shapes::empty_answers, log).await,
        "no_text" => run(shapes::no_text, log).await,
        "charges_once" => run(shapes::charges_once, log).await,
        "races_and_waits" => run(calls::races_and_waits, log).await,
        "two_steps" => run(calls::two_steps, log).await,
        "parts" => {
            let function = durable::lambda::function(limits::parts);
            function.max_operations(100).state(log).run().await
        }
        "checks" => {
            let function = durable_lambda::function(calls::checks);
            function.max_operations(100).state(log).run().await
        }
        other => Err(format!("no handler {other}").into()),
    }
}
