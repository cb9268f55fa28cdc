//! Settings of the server and of its functions.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::http::REQUEST_TIMEOUT;

/// Default port of the server.
pub const PORT: u16 = 9010;

/// Callback for lines of output, of the server and of functions.
pub type Output = Arc<dyn Fn(&str) + Send + Sync>;

/// Storage for the state of executions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// In a SQLite file. The server may be killed at any time and resumes every execution.
    File(PathBuf),
    /// In memory. Lost when the server ends.
    Ephemeral,
}

/// Settings of a local Lambda.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Address of the API. An address other than loopback requires an `access_key`.
    pub listen: SocketAddr,
    /// Region in ARNs and in the environment of functions.
    pub region: String,
    /// Account in ARNs, twelve digits.
    pub account: String,
    /// Access key id that requests must be signed with. Functions receive it too. The signature itself is verified only
    /// with a `secret_key`.
    pub access_key: Option<String>,
    /// Secret of the access key. Functions receive it too, and people log in to the page with it.
    pub secret_key: Option<String>,
    /// Storage for executions.
    pub state: State,
    /// Speed-up factor of waits, retry delays, and timeouts of callbacks and executions. The
    /// timeout of an invocation is always in real time.
    pub time_scale: f64,
    /// Time for a client to send the head of a request, and the same for its body. Slower clients are disconnected. 30
    /// seconds by default.
    pub request_timeout: Duration,
    /// Functions by name.
    pub functions: BTreeMap<String, Function>,
    /// Quotas of an execution.
    pub quotas: Quotas,
    /// Folder for one `<function>.log` per function, with its unmodified output.
    pub function_logs: Option<PathBuf>,
    /// Command line to prefix to that of a function. It has to `exec` the function.
    pub launcher: Vec<String>,
    /// Receives the server's output, line by line.
    pub output: Output,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("state", &self.state)
            .field("functions", &self.functions)
            .finish_non_exhaustive()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, PORT).into(),
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
            access_key: None,
            secret_key: None,
            state: State::File("durable-lambda.db".into()),
            time_scale: 1.0,
            request_timeout: REQUEST_TIMEOUT,
            functions: BTreeMap::new(),
            quotas: Quotas::default(),
            function_logs: None,
            launcher: Vec::new(),
            output: Arc::new(|_| {}),
        }
    }
}

/// Quotas of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Quotas {
    /// Billed operations: the start, each operation and each retry.
    pub operations: u64,
    /// Total bytes of payloads and errors written.
    pub bytes: u64,
    /// Consecutive failed invocations after which the execution fails.
    pub failed_invocations: u32,
    /// Bytes of operations in the event of an invocation. Functions read the rest in pages.
    pub page_bytes: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        let limits = super::service::Limits::default();
        Self {
            operations: limits.operations,
            bytes: limits.bytes,
            failed_invocations: limits.failed_invocations,
            page_bytes: limits.page_bytes,
        }
    }
}

/// Settings of a function.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Function {
    /// Program and arguments: a custom runtime, or an interpreter with a runtime client.
    pub command: Vec<String>,
    /// Environment variables, in addition to those that Lambda sets.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Working directory.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// Whether invocations are durable executions.
    #[serde(default = "yes")]
    pub durable: bool,
    /// Timeout of an invocation, 1–900 seconds.
    #[serde(default = "Function::default_timeout")]
    pub timeout: u32,
    /// Timeout of an execution, 1–31 622 400 seconds.
    #[serde(default = "Function::default_execution_timeout")]
    pub execution_timeout: u32,
    /// Retention of ended executions, 1–90 days.
    #[serde(default = "Function::default_retention_days")]
    pub retention_days: u32,
    /// Number of the published version, besides `$LATEST`.
    #[serde(default)]
    pub version: Option<u32>,
    /// Aliases of the published version.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Concurrent processes, 1–1000; more invocations wait.
    #[serde(default = "Function::default_concurrency")]
    pub concurrency: usize,
    /// Memory in MB, as reported to the function. It is not enforced.
    #[serde(default = "Function::default_memory")]
    pub memory: u32,
    /// Files whose change restarts the function, in addition to those of its command.
    #[serde(default)]
    pub watch: Vec<PathBuf>,
}

fn yes() -> bool {
    true
}

impl Function {
    /// A durable function with the default settings.
    pub fn new(command: Vec<String>) -> Self {
        Self {
            command,
            env: BTreeMap::new(),
            cwd: None,
            durable: true,
            timeout: Self::default_timeout(),
            execution_timeout: Self::default_execution_timeout(),
            retention_days: Self::default_retention_days(),
            version: None,
            aliases: Vec::new(),
            concurrency: Self::default_concurrency(),
            memory: Self::default_memory(),
            watch: Vec::new(),
        }
    }

    fn default_timeout() -> u32 {
        900
    }

    fn default_execution_timeout() -> u32 {
        24 * 60 * 60
    }

    fn default_retention_days() -> u32 {
        14
    }

    fn default_concurrency() -> usize {
        10
    }

    fn default_memory() -> u32 {
        128
    }
}

/// Settings read from a TOML file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct File {
    /// Region in ARNs.
    #[serde(default)]
    pub region: Option<String>,
    /// Quotas of an execution.
    #[serde(default)]
    pub quotas: Quotas,
    /// Functions by name.
    pub functions: BTreeMap<String, Function>,
}

/// Invalid settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OptionsError(pub(crate) String);

impl File {
    /// Reads settings from a file. Paths in them are relative to the file's folder.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is unreadable or invalid.
    pub fn read(path: &Path) -> Result<Self, OptionsError> {
        let invalid =
            |error: &dyn fmt::Display| OptionsError(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| invalid(&error))?;
        let mut file: Self = toml::from_str(&text).map_err(|error| invalid(&error))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        for function in file.functions.values_mut() {
            let cwd = function.cwd.take().unwrap_or_default();
            function.cwd = Some(folder.join(cwd)).filter(|cwd| !cwd.as_os_str().is_empty());
            for watched in &mut function.watch {
                *watched = folder.join(&*watched);
            }
        }
        Ok(file)
    }
}

impl Options {
    /// Checks every setting.
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        let bad = |text: String| Err(OptionsError(text));
        if self.functions.is_empty() {
            return bad("no function to run: add a `[functions.NAME]` section".to_owned());
        }
        if self.account.len() != 12 || !self.account.bytes().all(|byte| byte.is_ascii_digit()) {
            return bad(format!(
                "invalid account `{}`: expected twelve digits",
                self.account
            ));
        }
        if !(self.time_scale.is_finite() && (0.001..=100_000.0).contains(&self.time_scale)) {
            return bad(format!(
                "invalid time scale {}: expected 0.001 to 100000",
                self.time_scale
            ));
        }
        match &self.access_key {
            None if !self.listen.ip().is_loopback() => {
                return bad(format!(
                    "listening on {} needs an access key: anyone who can connect could run code on this machine",
                    self.listen
                ));
            }
            Some(key) if key.len() < 16 || !key.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                return bad("invalid access key: expected 16 or more letters and digits".to_owned());
            }
            _ => {}
        }
        match &self.secret_key {
            Some(_) if self.access_key.is_none() => {
                return bad("a secret key needs an access key".to_owned());
            }
            Some(key) if key.len() < 16 || !key.bytes().all(|b| b.is_ascii_graphic()) => {
                return bad(
                    "invalid secret key: expected 16 or more printable ASCII characters without spaces"
                        .to_owned(),
                );
            }
            _ => {}
        }
        let mut functions = self.functions.iter();
        functions.try_for_each(|(name, function)| function.check(name))
    }
}

impl Function {
    fn check(&self, name: &str) -> Result<(), OptionsError> {
        let word = |text: &str| {
            let mut bytes = text.bytes();
            !text.is_empty()
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let bad = |text: &str| Err(OptionsError(format!("function `{name}`: {text}")));
        if name.len() > 64 || !word(name) {
            return bad("invalid name: expected 1–64 letters, digits, `-` and `_`");
        }
        if self.command.first().is_none_or(String::is_empty) {
            return bad("`command` is empty");
        }
        if !(1..=900).contains(&self.timeout) {
            return bad("`timeout` must be 1 to 900 seconds");
        }
        if !(1..=31_622_400).contains(&self.execution_timeout) {
            return bad("`execution_timeout` must be 1 to 31622400 seconds");
        }
        if !(1..=90).contains(&self.retention_days) {
            return bad("`retention_days` must be 1 to 90");
        }
        if !(1..=1_000).contains(&self.concurrency) {
            return bad("`concurrency` must be 1 to 1000");
        }
        if self.version == Some(0) {
            return bad("`version` must be 1 or more");
        }
        if !self.aliases.is_empty() && self.version.is_none() {
            return bad("`aliases` need a `version`");
        }
        let alias = |alias: &String| word(alias) && !alias.bytes().all(|b| b.is_ascii_digit());
        if !self.aliases.iter().all(alias) {
            return bad("invalid alias: expected letters, digits, `-` and `_`, not only digits");
        }
        Ok(())
    }
}
