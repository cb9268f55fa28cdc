//! Pool of the processes of one function.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::fingerprint::{Fingerprint, Watched};
use super::instance::{End, FunctionError, Instance, Job};
use super::logs::Logs;
use crate::lambda::options::Function;

/// Time after which an idle process is ended.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// Attempts to start a process while its file is being replaced, and the pause between them.
const START_ATTEMPTS: u32 = 20;
const START_PAUSE: Duration = Duration::from_millis(100);

/// Environment of a function's processes.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    pub(crate) launcher: Vec<String>,
    pub(crate) set: BTreeMap<String, String>,
}

impl Environment {
    /// The variables of the server, without those of AWS, and those that Lambda sets.
    pub(super) fn variables(&self, api: &str) -> impl Iterator<Item = (OsString, OsString)> + '_ {
        let foreign = |name: &OsString| {
            let name = name.to_string_lossy();
            let prefixes = ["AWS_", "LAMBDA_", "_LAMBDA_"];
            name == "_HANDLER" || prefixes.iter().any(|prefix| name.starts_with(prefix))
        };
        let own = std::env::vars_os().filter(move |(name, _)| !foreign(name));
        let set = self.set.iter();
        let set = set.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let api = ("AWS_LAMBDA_RUNTIME_API".into(), api.into());
        own.chain(set).chain([api])
    }
}

/// Pool of processes that run the invocations of one function.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) name: String,
    pub(crate) function: Function,
    pub(crate) logs: Arc<Logs>,
    environment: Environment,
    watched: Watched,
    room: Semaphore,
    idle: Mutex<Vec<(Instant, Instance)>>,
}

impl Pool {
    pub(crate) fn new(
        name: &str,
        function: Function,
        environment: Environment,
        logs: Arc<Logs>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            watched: Watched::new(&function),
            room: Semaphore::new(function.concurrency),
            function,
            logs,
            environment,
            idle: Mutex::default(),
        }
    }

    /// Runs one invocation. Its process runs no other invocation meanwhile.
    pub(crate) async fn run(&self, job: Job) -> End {
        let Ok(_place) = self.room.acquire().await else {
            return End::Error(FunctionError::new(
                "ServiceException",
                "the server is shutting down",
            ));
        };
        let mut instance = match self.instance().await {
            Ok(instance) => instance,
            Err(error) => {
                let command = self.function.command.join(" ");
                let text = format!("cannot start `{command}`: {error}");
                self.logs.note(&text);
                return End::Error(FunctionError::new("Runtime.InvalidEntrypoint", text));
            }
        };
        let end = instance.run(job).await;
        let timed_out = matches!(&end, End::Error(error)
            if error.body["errorType"] == "Sandbox.Timedout");
        if let End::Error(error) = &end {
            self.logs
                .note(&format!("invocation failed: {}", error.body));
        }
        if !instance.is_dead() && !timed_out {
            self.idle().push((Instant::now(), instance));
        }
        end
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Instance)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn instance(&self) -> std::io::Result<Instance> {
        let mut fingerprint = self.watched.fingerprint();
        let mut starts = 1;
        while !fingerprint.is_complete() && starts < START_ATTEMPTS {
            starts += 1;
            tokio::time::sleep(START_PAUSE).await;
            fingerprint = self.watched.fingerprint();
        }
        if let Some(instance) = self.reuse(&fingerprint) {
            return Ok(instance);
        }
        loop {
            let fingerprint = self.watched.fingerprint();
            let started =
                Instance::start(&self.function, &self.environment, &self.logs, fingerprint).await;
            match started {
                // The file is being written.
                Err(error)
                    if error.kind() == std::io::ErrorKind::ExecutableFileBusy
                        && starts < START_ATTEMPTS =>
                {
                    starts += 1;
                    tokio::time::sleep(START_PAUSE).await;
                }
                started => return started,
            }
        }
    }

    /// Takes an idle process that runs the current files; drops processes of older files.
    fn reuse(&self, fingerprint: &Fingerprint) -> Option<Instance> {
        let mut idle = self.idle();
        idle.retain(|(_, instance)| !instance.is_dead());
        let before = idle.len();
        idle.retain(|(_, instance)| instance.fingerprint == *fingerprint);
        if idle.len() < before {
            self.logs.note("files changed, restarting");
        }
        idle.pop().map(|(_, instance)| instance)
    }

    /// Ends idle processes and refuses new invocations.
    pub(crate) fn close(&self) {
        self.room.close();
        self.idle().clear();
    }

    /// Ends processes that have been idle for too long.
    pub(crate) fn reap(&self) {
        self.idle()
            .retain(|(since, instance)| since.elapsed() < IDLE_TIMEOUT && !instance.is_dead());
    }
}
