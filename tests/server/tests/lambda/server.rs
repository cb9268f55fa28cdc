//! Starts the server as a process and sends requests to it.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) use crate::client::{Answer, answer, encoded, request};

/// Time after which a test stops waiting and fails.
const STALL_TIMEOUT: Duration = Duration::from_secs(120);

/// Settings of a server.
pub(crate) struct Settings {
    pub(crate) functions: String,
    pub(crate) ephemeral: bool,
    pub(crate) arguments: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            functions: [
                "steps", "journey", "echo", "approval", "sleepy", "broken", "plain",
            ]
            .map(|name| function(name, ""))
            .concat(),
            ephemeral: true,
            arguments: Vec::new(),
        }
    }
}

/// Settings of a function of the test program, with additional lines of TOML.
pub(crate) fn function(name: &str, more: &str) -> String {
    let program = env!("CARGO_BIN_EXE_function");
    let durable = name != "plain";
    format!(
        "[functions.{name}]\ncommand = [\"{program}\"]\ndurable = {durable}\nenv = {{ EFFECTS = \"effects\" }}\ncwd = \".\"\n{more}\n"
    )
}

/// Running `durable lambda`, killed on drop.
pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    settings: Settings,
    process: Option<Child>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            println!("{}", self.output());
        }
    }
}

impl Answer {
    /// Returns the status, code and message of an error.
    pub(crate) fn error(&self) -> (u16, String, String) {
        let message = self.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        (
            self.status,
            self.header("x-amzn-errortype").to_owned(),
            message,
        )
    }
}

impl Server {
    pub(crate) fn start(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("functions.toml"), &settings.functions).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut server = Self {
            folder,
            port,
            settings,
            process: None,
        };
        server.resume();
        server
    }

    /// Returns a client of another server, which listens on `port`.
    pub(crate) fn at(&self, port: u16) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            port,
            settings: Settings::default(),
            process: None,
        }
    }

    /// Restarts the process with the state of the previous one.
    pub(crate) fn resume(&mut self) {
        let output = File::options()
            .create(true)
            .append(true)
            .open(self.path("output"))
            .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_command"));
        command
            .args(["lambda", "--config", "functions.toml"])
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(&self.settings.arguments);
        match self.settings.ephemeral {
            true => command.arg("--ephemeral"),
            false => command.args(["--state", "state.db"]),
        };
        let process = command
            .current_dir(self.folder.path())
            .env("SERVER_TESTS", self.folder.path())
            .stdout(Stdio::from(output.try_clone().unwrap()))
            .stderr(Stdio::from(output))
            .spawn();
        self.process = Some(process.unwrap());
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", self.output());
            assert!(begun.elapsed() < STALL_TIMEOUT, "no server");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills the process without a shutdown.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn output(&self) -> String {
        read(&self.path("output"))
    }

    pub(crate) fn effects(&self) -> Vec<String> {
        read(&self.path("effects"))
            .lines()
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn try_call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        request(self.port, method, path, headers, body)
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        self.try_call(method, path, &[], body.as_bytes()).unwrap()
    }

    /// Invokes a function and waits for its response.
    pub(crate) fn invoke(&self, function: &str, input: &Value) -> Answer {
        self.try_invoke(function, &[], input).unwrap()
    }

    pub(crate) fn try_invoke(
        &self,
        function: &str,
        headers: &[(&str, &str)],
        input: &Value,
    ) -> io::Result<Answer> {
        let path = format!("/2015-03-31/functions/{}/invocations", encoded(function));
        self.try_call("POST", &path, headers, input.to_string().as_bytes())
    }

    /// Starts an execution and returns its ARN.
    pub(crate) fn begin(&self, function: &str, input: &Value) -> String {
        let event = [("x-amz-invocation-type", "Event")];
        let answer = self.try_invoke(function, &event, input).unwrap();
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.header("x-amz-durable-execution-arn").to_owned()
    }

    pub(crate) fn get(&self, arn: &str) -> Value {
        self.call("GET", &execution(arn, ""), &Value::Null).json()
    }

    /// Waits until an execution has this status.
    pub(crate) fn until(&self, arn: &str, status: &str) -> Value {
        let begun = Instant::now();
        loop {
            let now = self.get(arn);
            if now["Status"] == status {
                return now;
            }
            assert!(begun.elapsed() < STALL_TIMEOUT, "not {status}: {now}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Reads the complete history of an execution.
    pub(crate) fn history(&self, arn: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let mut marker = String::new();
        loop {
            let query = format!("/history?MaxItems=1000&Marker={}", encoded(&marker));
            let page = self
                .call("GET", &execution(arn, &query), &Value::Null)
                .json();
            events.extend(page["Events"].as_array().unwrap().iter().cloned());
            match page["NextMarker"].as_str() {
                Some(next) => marker = next.to_owned(),
                None => return events,
            }
        }
    }

    /// Waits for an event and returns it.
    pub(crate) fn event(&self, arn: &str, kind: &str) -> Value {
        let begun = Instant::now();
        loop {
            let found = self
                .history(arn)
                .into_iter()
                .find(|e| e["EventType"] == kind);
            if let Some(event) = found {
                return event;
            }
            assert!(begun.elapsed() < STALL_TIMEOUT, "no {kind}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Returns the path of an operation on an execution.
pub(crate) fn execution(arn: &str, operation: &str) -> String {
    format!("/2025-12-01/durable-executions/{}{operation}", encoded(arn))
}

/// Returns the path of an operation on a callback.
pub(crate) fn callback(id: &str, operation: &str) -> String {
    format!(
        "/2025-12-01/durable-execution-callbacks/{}/{operation}",
        encoded(id)
    )
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Random numbers from a seed that is printed and can be set in the environment.
pub(crate) fn random() -> fastrand::Rng {
    let given = std::env::var("DURABLE_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    println!("DURABLE_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
