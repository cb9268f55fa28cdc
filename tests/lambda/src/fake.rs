//! Fake of Lambda, as tests use it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::execution::{Execution, Speedup};
use crate::execution_handle::ExecutionHandle;
use crate::fault::Fault;
use crate::functions::Function;
use crate::http;
use crate::recording::{InvocationEnd, Recording};
use crate::sandbox::{self, Program};
use crate::signature::Credentials;
use crate::state::{QueuedInvocation, Shared};
use crate::wire::{self, ErrorObject};

/// How long a test waits without progress before it fails.
const STALL_TIMEOUT: Duration = Duration::from_secs(120);

/// Server of Lambda's Runtime API and durable API on a loopback port.
#[derive(Debug)]
pub struct Fake {
    shared: Arc<Shared>,
    address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Fake {
    /// Starts a fake.
    ///
    /// # Panics
    ///
    /// Panics if no port is free.
    pub async fn start(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Shared::new(config);
        let clock = Arc::clone(&shared);
        let tasks = vec![
            tokio::spawn(http::serve(Arc::clone(&shared), listener)),
            tokio::spawn(async move { clock.run_timers().await }),
        ];
        Self {
            shared,
            address,
            tasks,
        }
    }

    /// Returns the address of both APIs.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the environment variables that Lambda sets for a function.
    pub fn environment(&self) -> Vec<(String, String)> {
        let credentials = self.credentials();
        let endpoint = format!("http://{}", self.address);
        let pairs = [
            ("AWS_LAMBDA_RUNTIME_API", self.address.to_string()),
            ("AWS_ENDPOINT_URL_LAMBDA", endpoint),
            ("AWS_REGION", credentials.region.clone()),
            ("AWS_DEFAULT_REGION", credentials.region),
            ("AWS_ACCESS_KEY_ID", credentials.access_key),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret_key),
            ("AWS_LAMBDA_FUNCTION_NAME", "subject".into()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "7".into()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".into()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/subject".into()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/25/[7]0".into()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
            ("_HANDLER", "bootstrap".into()),
            ("TZ", ":UTC".into()),
        ];
        let session = credentials
            .session_token
            .map(|token| ("AWS_SESSION_TOKEN", token));
        let pairs = pairs.into_iter().chain(session);
        pairs.map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// Returns the credentials for signing requests.
    pub fn credentials(&self) -> Credentials {
        self.shared.lock().config.credentials()
    }

    /// Runs invocations in processes of `program` from now on. A process that is already running is replaced once it
    /// is idle.
    pub fn run(&mut self, program: Program) {
        let first = self.shared.change(|state| {
            state.retire = state.program.is_some();
            state.program.replace(program).is_none()
        });
        if first {
            let run = sandbox::run(Arc::clone(&self.shared), self.environment());
            self.tasks.push(tokio::spawn(run));
        }
    }

    /// Starts an execution with a JSON input.
    pub fn execute(&self, name: &str, input: &Value) -> ExecutionHandle {
        self.execute_text(name, &input.to_string())
    }

    /// Starts an execution with an input given as text.
    pub fn execute_text(&self, name: &str, input: &str) -> ExecutionHandle {
        let now = wire::now();
        self.shared.change(|state| {
            let number = state.executions.len() + 1;
            let function = state.config.function_arn();
            let arn = format!("{function}/durable-execution/{name}/{number:08x}");
            let speedup = Speedup(state.config.speedup);
            let mut execution = Execution::new(arn.clone(), name, input.to_owned(), speedup, now);
            execution.quotas = state.config.quotas.clone();
            execution.paging = state.config.paging.clone();
            execution.clock_skew = state.config.clock_skew;
            let timeout = state.config.execution_timeout;
            execution.deadline = timeout.map(|seconds| (speedup.after(now, seconds), seconds));
            state.executions.insert(arn.clone(), execution);
            ExecutionHandle {
                shared: Arc::clone(&self.shared),
                arn,
            }
        })
    }

    /// Invokes the function with an event outside any execution.
    pub async fn invoke(&self, payload: Value) -> InvocationEnd {
        let request_id = self.shared.change(|state| {
            let request_id = state.new_request_id();
            state.queue.push_back(QueuedInvocation {
                request_id: request_id.clone(),
                arn: None,
                payload,
            });
            request_id
        });
        wait_for(&self.shared, move |recording, _| {
            let mut all = recording.invocations.iter();
            all.find(|one| one.request_id == request_id)?.end.clone()
        })
        .await
    }

    /// Injects a fault into checkpoint call number `call`, counted from 1 over all executions.
    pub fn fault(&self, call: u64, fault: Fault) {
        self.shared
            .change(|state| state.checkpoint_faults.at(call, fault));
    }

    /// Injects a fault into every checkpoint call from number `call` on.
    pub fn fault_from(&self, call: u64, fault: Fault) {
        self.shared
            .change(|state| state.checkpoint_faults.from(call, fault));
    }

    /// Injects a fault into state call number `call`.
    pub fn fault_state(&self, call: u64, fault: Fault) {
        self.shared
            .change(|state| state.state_faults.at(call, fault));
    }

    /// Defines a function for chained invokes that runs `code`.
    pub fn function(
        &self,
        name: &str,
        code: impl Fn(String) -> Result<String, ErrorObject> + Send + Sync + 'static,
    ) {
        let code = Function::Code(Arc::new(code));
        self.shared
            .change(|state| state.functions.insert(name.to_owned(), code));
    }

    /// Defines a function for chained invokes that the test completes.
    pub fn manual_function(&self, name: &str) {
        self.shared
            .change(|state| state.functions.insert(name.to_owned(), Function::Manual));
    }

    /// Kills the subject's process, as Lambda does when it runs out of memory.
    pub fn kill(&self) {
        self.shared
            .change(|state| state.kill = state.program.is_some());
    }

    /// Returns what the subject has done so far.
    pub fn recording(&self) -> Recording {
        self.shared.lock().recording.clone()
    }

    /// Waits until `condition` returns a value for the recording.
    ///
    /// # Panics
    ///
    /// Panics after two minutes.
    pub async fn wait_until<T>(&self, mut condition: impl FnMut(&Recording) -> Option<T>) -> T {
        wait_for(&self.shared, |recording, _| condition(recording)).await
    }
}

/// Waits until `condition` returns a value, and panics after [`STALL_TIMEOUT`].
pub(crate) async fn wait_for<T>(
    shared: &Shared,
    mut condition: impl FnMut(&Recording, &HashMap<String, Execution>) -> Option<T>,
) -> T {
    let value = shared.wait_until(|state| condition(&state.recording, &state.executions));
    match tokio::time::timeout(STALL_TIMEOUT, value).await {
        Ok(value) => value,
        Err(_) => panic!(
            "condition not met in {STALL_TIMEOUT:?}: {:#?}",
            shared.lock()
        ),
    }
}
