//! Runs a subject as Lambda does: the process is started when an invocation is queued, kept between invocations, and
//! killed at its deadline.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::state::Shared;

/// Program that implements a Lambda function with a custom runtime.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Whether each invocation gets a new process.
    pub(crate) fresh: bool,
}

impl Program {
    /// Creates a program from the executable at `path`. One process runs many invocations.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            fresh: false,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.environment.push((key.to_owned(), value.into()));
        self
    }

    /// Starts a new process for each invocation.
    #[must_use]
    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }

    /// Starts the process with the variables that Lambda sets, without the test's own environment.
    fn spawn(&self, lambda: &[(String, String)]) -> std::io::Result<Child> {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(lambda.iter().map(|(key, value)| (key, value)))
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command.spawn()
    }
}

/// Starts the current program whenever invocations are queued, until the task is aborted.
pub(crate) async fn run(shared: Arc<Shared>, lambda: Vec<(String, String)>) {
    loop {
        let program = shared
            .wait_until(|state| {
                let work = !state.queue.is_empty();
                state.program.clone().filter(|_| work)
            })
            .await;
        shared.change(|state| state.recording.processes += 1);
        match program.spawn(&lambda) {
            Ok(child) => supervise(&shared, child).await,
            Err(error) => {
                let reason = format!("cannot start {}: {error}", program.path.display());
                shared.change(|state| state.process_ended(&reason, false));
            }
        }
    }
}

/// Waits for a process to end, or kills it when the state says so.
async fn supervise(shared: &Arc<Shared>, mut child: Child) {
    let stdout = child
        .stdout
        .take()
        .map(|stream| tokio::spawn(copy(Arc::clone(shared), stream)));
    let stderr = child
        .stderr
        .take()
        .map(|stream| tokio::spawn(copy(Arc::clone(shared), stream)));
    let killed = shared.wait_until(|state| {
        let retire = state.retire && state.active.is_empty();
        (state.kill || retire).then_some(())
    });
    let (reason, expected) = tokio::select! {
        status = child.wait() => (format!("{status:?}"), false),
        () = killed => {
            let killed = child.kill().await;
            (format!("killed: {killed:?}"), true)
        }
    };
    for copied in [stdout, stderr].into_iter().flatten() {
        let _ = copied.await;
    }
    shared.change(|state| state.process_ended(&reason, expected));
}

async fn copy(shared: Arc<Shared>, stream: impl AsyncRead + Unpin) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        shared.change(|state| state.recording.output.push(line));
    }
}
