//! Process of a function, and its current invocation.

use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::fingerprint::{Fingerprint, program};
use super::logs::{Logs, MAX_LINE};
use super::pool::Environment;
use super::runtime_api;
use crate::http::{Limits, serve};
use crate::lambda::clock;
use crate::lambda::options::Function;
use crate::lambda::service::ErrorObject;

/// Time for a process to request its first invocation.
const INIT_TIMEOUT: Duration = Duration::from_secs(60);
/// Time to read the last output of a process that has ended.
const OUTPUT_DRAIN: Duration = Duration::from_millis(500);

/// Invocation to run.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) request_id: String,
    /// Qualified ARN that was invoked.
    pub(crate) arn: String,
    pub(crate) payload: Bytes,
    pub(crate) tenant: Option<String>,
    pub(crate) trace: String,
    pub(crate) client_context: Option<String>,
}

/// End of an invocation.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Output(Bytes),
    Error(FunctionError),
}

/// Error of a function, in the format of `Invoke`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FunctionError {
    pub(crate) body: Value,
}

impl FunctionError {
    pub(crate) fn new(kind: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            body: json!({ "errorType": kind, "errorMessage": message }),
        }
    }

    /// Parses the error that a runtime reported; `kind` is from its header.
    pub(super) fn reported(body: &[u8], kind: Option<&str>) -> Self {
        let body = serde_json::from_slice::<Value>(body).ok();
        let mut body = body.filter(Value::is_object).unwrap_or_else(|| json!({}));
        if body.get("errorType").is_none() {
            body["errorType"] = json!(kind.unwrap_or("Unhandled"));
        }
        Self { body }
    }

    /// Converts the error to the format of operations and executions.
    pub(crate) fn object(&self) -> ErrorObject {
        let text = |key: &str| {
            self.body
                .get(key)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let trace = self.body.get("stackTrace").and_then(Value::as_array);
        let trace = trace.map(|lines| {
            let lines = lines
                .iter()
                .filter_map(|line| line.as_str().map(str::to_owned));
            lines.collect::<Vec<_>>()
        });
        ErrorObject {
            error_type: text("errorType"),
            error_message: text("errorMessage"),
            error_data: None,
            stack_trace: trace.filter(|lines| !lines.is_empty()),
        }
    }
}

/// Invocation that the process is running.
#[derive(Debug)]
pub(super) struct CurrentInvocation {
    pub(super) request_id: String,
    pub(super) deadline: u64,
    pub(super) arn: String,
    pub(super) trace: String,
    pub(super) tenant: Option<String>,
    pub(super) client_context: Option<String>,
    pub(super) payload: Bytes,
}

/// Invocation for a process, with senders for its end and for its acceptance.
type Assignment = (Job, oneshot::Sender<End>, oneshot::Sender<()>);

/// State shared by the Runtime API of a process and the owner of the process.
#[derive(Debug)]
pub(super) struct Shared {
    timeout: Duration,
    queue: tokio::sync::Mutex<mpsc::Receiver<Assignment>>,
    current: Mutex<Option<(String, oneshot::Sender<End>)>>,
    init_error: Mutex<Option<FunctionError>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Waits for the next invocation. An unanswered previous one fails.
    pub(super) async fn take(&self) -> Option<CurrentInvocation> {
        let unanswered = locked(&self.current).take();
        if let Some((_, end)) = unanswered {
            let text = "the runtime requested the next invocation without answering this one";
            let error = FunctionError::new("Runtime.NoResponse", text);
            // The receiver is gone if the invocation has timed out.
            let _ = end.send(End::Error(error));
        }
        let (job, end, accepted) = self.queue.lock().await.recv().await?;
        *locked(&self.current) = Some((job.request_id.clone(), end));
        // Its owner may have stopped waiting.
        let _ = accepted.send(());
        Some(CurrentInvocation {
            deadline: clock::now() + self.timeout.as_millis() as u64,
            request_id: job.request_id,
            arn: job.arn,
            trace: job.trace,
            tenant: job.tenant,
            client_context: job.client_context,
            payload: job.payload,
        })
    }

    /// Ends the current invocation; returns whether it is the one with this id.
    pub(super) fn end(&self, request_id: &str, end: End) -> bool {
        let current = locked(&self.current).take_if(|(current, _)| current == request_id);
        match current {
            Some((_, waiting)) => waiting.send(end).is_ok(),
            None => false,
        }
    }

    pub(super) fn init_failed(&self, error: FunctionError) {
        *locked(&self.init_error) = Some(error);
    }
}

/// Process of a function. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Instance {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Assignment>,
    ended: watch::Receiver<Option<String>>,
    kill: Arc<Notify>,
    pub(super) fingerprint: Fingerprint,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill.notify_one();
    }
}

impl Instance {
    pub(super) async fn start(
        function: &Function,
        environment: &Environment,
        logs: &Arc<Logs>,
        fingerprint: Fingerprint,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let api = listener.local_addr()?.to_string();
        let mut child = command(function, environment, &api).spawn()?;
        let (jobs, queue) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            timeout: Duration::from_secs(function.timeout.into()),
            queue: tokio::sync::Mutex::new(queue),
            current: Mutex::default(),
            init_error: Mutex::default(),
        });
        let router = runtime_api::router(Arc::clone(&shared));
        let (end, ended) = watch::channel(None);
        let kill = Arc::new(Notify::new());
        let (killed, logs) = (Arc::clone(&kill), Arc::clone(logs));
        tokio::spawn(async move {
            let streams = [
                child
                    .stdout
                    .take()
                    .map(|s| tokio::spawn(copy(s, Arc::clone(&logs)))),
                child
                    .stderr
                    .take()
                    .map(|s| tokio::spawn(copy(s, Arc::clone(&logs)))),
            ];
            let how = tokio::select! {
                how = wait(&mut child, &killed) => how,
                () = serve(listener, router, Limits::default(), std::future::pending()) => "the Runtime API ended".to_owned(),
            };
            for stream in streams.into_iter().flatten() {
                // A grandchild may hold the stream open.
                let _ = tokio::time::timeout(OUTPUT_DRAIN, stream).await;
            }
            end.send_replace(Some(how));
        });
        Ok(Self {
            shared,
            jobs,
            ended,
            kill,
            fingerprint,
        })
    }

    pub(super) fn is_dead(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Runs an invocation. Kills the process if it times out.
    pub(super) async fn run(&mut self, job: Job) -> End {
        let request_id = job.request_id.clone();
        let (end, mut ended) = oneshot::channel();
        let (accepted, was_taken) = oneshot::channel();
        let undelivered = self.jobs.try_send((job, end, accepted)).is_err();
        let timeout = self.shared.timeout;
        let in_time = async {
            match tokio::time::timeout(INIT_TIMEOUT, was_taken).await {
                Ok(_) => tokio::time::sleep(timeout).await,
                Err(_) => return INIT_TIMEOUT,
            }
            timeout
        };
        let mut died = self.ended.clone();
        tokio::select! {
            biased;
            Ok(end) = &mut ended, if !undelivered => end,
            _ = died.wait_for(Option::is_some) => self.exited(&request_id),
            time = in_time => {
                self.kill.notify_one();
                let seconds = time.as_secs_f64();
                let text = format!("{request_id} Task timed out after {seconds:.2} seconds");
                End::Error(FunctionError::new("Sandbox.Timedout", text))
            }
        }
    }

    fn exited(&self, request_id: &str) -> End {
        if let Some(error) = locked(&self.shared.init_error).clone() {
            return End::Error(error);
        }
        let how = self.ended.borrow().clone().unwrap_or_default();
        let text = format!("RequestId: {request_id} Error: Runtime exited with error: {how}");
        End::Error(FunctionError::new("Runtime.ExitError", text))
    }
}

fn command(function: &Function, environment: &Environment, api: &str) -> Command {
    let folder = function.cwd.clone().unwrap_or_default();
    let mut words = function.command.iter();
    let file = program(&folder, words.next().map_or("", String::as_str));
    let file = std::path::absolute(&file).unwrap_or(file);
    let mut command = match environment.launcher.split_first() {
        None => Command::new(file),
        Some((launcher, arguments)) => {
            let mut command = Command::new(launcher);
            command.args(arguments).arg(file);
            command
        }
    };
    command
        .args(words)
        .env_clear()
        .envs(environment.variables(api));
    if let Some(cwd) = &function.cwd {
        command.current_dir(cwd);
    }
    command
        .envs(&function.env)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    command
}

/// Waits for the end of a process. Kills it and its children on `kill`.
async fn wait(child: &mut Child, kill: &Notify) -> String {
    let id = child.id();
    let status = tokio::select! {
        status = child.wait() => status,
        () = kill.notified() => {
            kill_group(id);
            // On systems without process groups, this kills at least the process itself.
            let _ = child.start_kill();
            child.wait().await
        }
    };
    match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}

#[cfg(unix)]
fn kill_group(id: Option<u32>) {
    let id = id.and_then(|id| i32::try_from(id).ok());
    if let Some(group) = id.and_then(rustix::process::Pid::from_raw) {
        // Fails if the group has ended already.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill_group(_: Option<u32>) {}

async fn copy(stream: impl AsyncRead + Unpin, logs: Arc<Logs>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut stream).take(MAX_LINE as u64);
        match limited.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => logs.line(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n'])),
        }
    }
}
