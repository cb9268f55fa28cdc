//! Settings of the server and of its functions.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

/// Port of the server when none is given.
pub const PORT: u16 = 9010;

/// Receives a line of output: of the server, or of a function's log.
pub type Output = Arc<dyn Fn(&str) + Send + Sync>;

/// Where the state of executions is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// In a SQLite file. The server may be killed at any time and resumes every execution.
    File(PathBuf),
    /// In memory, gone with the server.
    Ephemeral,
}

/// Settings of a local Lambda.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Address of the API. Anything but a loopback address needs an `access_key`.
    pub listen: SocketAddr,
    /// Region in ARNs and in the environment of functions.
    pub region: String,
    /// Account in ARNs, twelve digits.
    pub account: String,
    /// Access key id that requests have to be signed with; functions get it too. The signature
    /// itself is not verified.
    pub access_key: Option<String>,
    /// Where executions are kept.
    pub state: State,
    /// How many times faster than real time waits, retries and timeouts of callbacks and executions
    /// run. The timeout of an invocation is always real.
    pub time_scale: f64,
    /// Functions by name.
    pub functions: BTreeMap<String, Function>,
    /// Quotas of an execution.
    pub quotas: Quotas,
    /// Folder for one `<function>.log` per function, with its output as it is.
    pub function_logs: Option<PathBuf>,
    /// Command line put before a function's, which has to become the function by `exec`.
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
            state: State::File("durable-lambda.db".into()),
            time_scale: 1.0,
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
    /// Operations, as Lambda bills them: the start, each operation and each retry.
    pub operations: u64,
    /// Bytes of payloads and errors written over its life.
    pub bytes: u64,
    /// Failed invocations in a row after which it fails.
    pub failed_invocations: u32,
    /// Bytes of operations in the event of an invocation; functions read the rest in pages.
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
    /// Environment variables, on top of those that Lambda sets.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Working directory.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// Whether invocations are durable executions.
    #[serde(default = "yes")]
    pub durable: bool,
    /// Seconds for one invocation, 1–900.
    #[serde(default = "Function::default_timeout")]
    pub timeout: u32,
    /// Seconds for a whole execution, 1–31 622 400.
    #[serde(default = "Function::default_execution_timeout")]
    pub execution_timeout: u32,
    /// Days that an execution is kept after its end, 1–90.
    #[serde(default = "Function::default_retention_days")]
    pub retention_days: u32,
    /// Number of the published version, besides `$LATEST`.
    #[serde(default)]
    pub version: Option<u32>,
    /// Aliases of the published version.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Processes at a time; further invocations wait.
    #[serde(default = "Function::default_concurrency")]
    pub concurrency: usize,
    /// Memory in MB, as the function is told. It is not enforced.
    #[serde(default = "Function::default_memory")]
    pub memory: u32,
    /// Files that restart the function when they change, besides those of its command.
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
    /// Reads settings; relative paths in them start at the file's folder.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not valid.
    pub fn read(path: &Path) -> Result<Self, OptionsError> {
        let told = |error: &dyn fmt::Display| OptionsError(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| told(&error))?;
        let mut file: Self = toml::from_str(&text).map_err(|error| told(&error))?;
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
            return bad("no function to run".to_owned());
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
                    "listening on {} needs an access key: everyone who reaches it could run code here",
                    self.listen
                ));
            }
            Some(key) if key.len() < 16 || !key.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                return bad("invalid access key: expected 16 or more letters and digits".to_owned());
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
