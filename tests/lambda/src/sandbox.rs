//! Runs a subject as Lambda would: a process that is started when there is work, kept while it
//! works, and killed when its time is over.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::state::Shared;

/// A program that is a Lambda function with a custom runtime.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Whether each invocation gets a process of its own.
    pub(crate) fresh: bool,
}

impl Program {
    /// The program at `path`, kept running from one invocation to the next.
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

    /// Starts a process for each invocation.
    #[must_use]
    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }

    /// The program does not see the environment of the test, only what Lambda would set.
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

/// Runs whatever program is the current one, for ever.
pub(crate) async fn run(shared: Arc<Shared>, lambda: Vec<(String, String)>) {
    loop {
        let program = shared
            .until(|state| {
                let work = !state.queue.is_empty();
                state.program.clone().filter(|_| work)
            })
            .await;
        shared.change(|state| state.record.processes += 1);
        match program.spawn(&lambda) {
            Ok(child) => watch(&shared, child).await,
            Err(error) => {
                let how = format!("cannot start {}: {error}", program.path.display());
                shared.change(|state| state.process_ended(&how, false));
            }
        }
    }
}

/// Stays with a process to its end.
async fn watch(shared: &Arc<Shared>, mut child: Child) {
    let stdout = child
        .stdout
        .take()
        .map(|stream| tokio::spawn(copy(Arc::clone(shared), stream)));
    let stderr = child
        .stderr
        .take()
        .map(|stream| tokio::spawn(copy(Arc::clone(shared), stream)));
    let killed = shared.until(|state| {
        let retire = state.retire && state.flights.is_empty();
        (state.kill || retire).then_some(())
    });
    let (how, wanted) = tokio::select! {
        status = child.wait() => (format!("{status:?}"), false),
        () = killed => {
            let killed = child.kill().await;
            (format!("killed: {killed:?}"), true)
        }
    };
    for copied in [stdout, stderr].into_iter().flatten() {
        let _ = copied.await;
    }
    shared.change(|state| state.process_ended(&how, wanted));
}

async fn copy(shared: Arc<Shared>, stream: impl AsyncRead + Unpin) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        shared.change(|state| state.record.output.push(line));
    }
}
