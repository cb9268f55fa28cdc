//! The fake as tests use it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::execution::{Execution, Pace};
use crate::fault::Fault;
use crate::functions::Function;
use crate::http;
use crate::record::{InvocationEnd, Record};
use crate::sandbox::{self, Program};
use crate::signature::Credentials;
use crate::started::Started;
use crate::state::{Queued, Shared};
use crate::wire::{self, ErrorObject};

/// How long a test waits for what should come at once before it gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Lambda's Runtime API and its durable API, on a loopback port.
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
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub async fn start(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Shared::new(config);
        let clock = Arc::clone(&shared);
        let tasks = vec![
            tokio::spawn(http::serve(Arc::clone(&shared), listener)),
            tokio::spawn(async move { clock.keep_time().await }),
        ];
        Self {
            shared,
            address,
            tasks,
        }
    }

    /// Where both APIs are.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What Lambda tells a function by environment variables.
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

    /// What requests have to be signed with.
    pub fn credentials(&self) -> Credentials {
        self.shared.lock().config.credentials()
    }

    /// Runs invocations in processes of `program` from now on. One that runs already is replaced
    /// when it is idle.
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

    /// Starts an execution of `input`.
    pub fn execute(&self, name: &str, input: &Value) -> Started {
        self.execute_text(name, &input.to_string())
    }

    /// Starts an execution of an input that is given as text.
    pub fn execute_text(&self, name: &str, input: &str) -> Started {
        let now = wire::now();
        self.shared.change(|state| {
            let number = state.executions.len() + 1;
            let function = state.config.function_arn();
            let arn = format!("{function}/durable-execution/{name}/{number:08x}");
            let pace = Pace(state.config.pace);
            let mut execution = Execution::new(arn.clone(), name, input.to_owned(), pace, now);
            execution.quotas = state.config.quotas.clone();
            execution.paging = state.config.paging.clone();
            execution.ahead = state.config.ahead;
            let timeout = state.config.execution_timeout;
            execution.deadline = timeout.map(|seconds| (pace.after(now, seconds), seconds));
            state.executions.insert(arn.clone(), execution);
            Started {
                shared: Arc::clone(&self.shared),
                arn,
            }
        })
    }

    /// Invokes the function with an event that belongs to no execution.
    pub async fn invoke(&self, payload: Value) -> InvocationEnd {
        let request_id = self.shared.change(|state| {
            let request_id = state.new_request_id();
            state.queue.push_back(Queued {
                request_id: request_id.clone(),
                arn: None,
                payload,
            });
            request_id
        });
        patiently(&self.shared, move |record, _| {
            let mut all = record.invocations.iter();
            all.find(|one| one.request_id == request_id)?.end.clone()
        })
        .await
    }

    /// The `call`th checkpoint call from now, counted from 1 over all executions, goes wrong.
    pub fn fault(&self, call: u64, fault: Fault) {
        self.shared
            .change(|state| state.checkpoint_faults.at(call, fault));
    }

    /// Every checkpoint call from the `call`th goes wrong.
    pub fn fault_from(&self, call: u64, fault: Fault) {
        self.shared
            .change(|state| state.checkpoint_faults.from(call, fault));
    }

    /// The `call`th call that reads the state goes wrong.
    pub fn fault_state(&self, call: u64, fault: Fault) {
        self.shared
            .change(|state| state.state_faults.at(call, fault));
    }

    /// A function that chained invokes may name, run by `code`.
    pub fn function(
        &self,
        name: &str,
        code: impl Fn(String) -> Result<String, ErrorObject> + Send + Sync + 'static,
    ) {
        let code = Function::Code(Arc::new(code));
        self.shared
            .change(|state| state.functions.insert(name.to_owned(), code));
    }

    /// A function that chained invokes may name, answered by the test.
    pub fn function_by_hand(&self, name: &str) {
        self.shared
            .change(|state| state.functions.insert(name.to_owned(), Function::Test));
    }

    /// Kills the subject's process, as Lambda does when it is out of memory.
    pub fn kill(&self) {
        self.shared
            .change(|state| state.kill = state.program.is_some());
    }

    /// What the subject did so far.
    pub fn record(&self) -> Record {
        self.shared.lock().record.clone()
    }

    /// Waits until the record shows something.
    ///
    /// # Panics
    ///
    /// If that takes two minutes.
    pub async fn until<T>(&self, mut look: impl FnMut(&Record) -> Option<T>) -> T {
        patiently(&self.shared, |record, _| look(record)).await
    }
}

/// Looks until there is something to see.
pub(crate) async fn patiently<T>(
    shared: &Shared,
    mut look: impl FnMut(&Record, &HashMap<String, Execution>) -> Option<T>,
) -> T {
    let found = shared.until(|state| look(&state.record, &state.executions));
    match tokio::time::timeout(PATIENCE, found).await {
        Ok(found) => found,
        Err(_) => panic!("nothing of what was expected came: {:#?}", shared.lock()),
    }
}
