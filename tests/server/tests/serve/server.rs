//! A server and a worker as processes, and requests to the server.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, encoded, request};

/// How long a test waits for what should come soon.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A running `durable serve`. It is killed at the end of the test.
pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    pub(crate) process: Child,
    worker: Option<Child>,
    /// Sent with every request.
    token: Option<&'static str>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill_worker();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The token of a server that has one.
pub(crate) const TOKEN: &str = "correct-horse-battery-staple";

/// Names of a handler, as `names!` writes them.
const NAMES: &str = r#"format 1

handler "approval": alloc::string::String -> alloc::string::String
  step "ask": alloc::string::String
  callback "answer": alloc::string::String
  step "note": alloc::string::String
"#;

/// A store in a new folder.
pub(crate) fn store() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    // A worker makes the file.
    let mut worker = work(&folder, &[]);
    let file = folder.path().join("app.db");
    let begun = Instant::now();
    while command(&folder, &["ls"]).output().unwrap().status.code() != Some(0) {
        assert!(begun.elapsed() < PATIENCE, "no {}", file.display());
        std::thread::sleep(Duration::from_millis(20));
    }
    worker.kill().unwrap();
    worker.wait().unwrap();
    folder
}

/// The `durable` command on the store in this folder.
pub(crate) fn command(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_command"));
    command
        .args(arguments)
        .current_dir(folder.path())
        .env("DURABLE_STORE", "sqlite:app.db")
        .env_remove("DURABLE_TOKEN_FILE");
    command
}

fn work(folder: &TempDir, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_worker"))
        .arg("sqlite:app.db")
        .args(arguments)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Server {
    /// A server without a worker.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// A server with a worker.
    pub(crate) fn working() -> Self {
        let mut server = Self::start();
        server.work(&[]);
        server
    }

    /// A server that was started with a token.
    pub(crate) fn guarded() -> Self {
        let mut server = Self::with(&["--token-file", "token"]);
        server.token = Some(TOKEN);
        server
    }

    /// A server that knows the names of the handler `approval`.
    pub(crate) fn named() -> Self {
        Self::with(&["--names", "durable.lock"])
    }

    pub(crate) fn with(arguments: &[&str]) -> Self {
        let folder = store();
        std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
        std::fs::write(folder.path().join("durable.lock"), NAMES).unwrap();
        let mut process = command(&folder, &["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let output = process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut url).unwrap();
        let port = url.trim_end().trim_end_matches('/').rsplit(':').next();
        Self {
            folder,
            port: port.unwrap().parse().unwrap_or_else(|_| panic!("{url:?}")),
            process,
            worker: None,
            token: None,
        }
    }

    /// Starts a worker in place of the one before.
    pub(crate) fn work(&mut self, arguments: &[&str]) {
        self.kill_worker();
        self.worker = Some(work(&self.folder, arguments));
    }

    pub(crate) fn kill_worker(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A request with these headers and no others.
    pub(crate) fn bare(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        request(self.port, method, path, headers, body).unwrap()
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let bearer = self.token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        self.bare(method, path, &headers, body.as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.call("GET", path, &Value::Null);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// A change that is done.
    pub(crate) fn post(&self, path: &str, body: &Value) {
        let answer = self.call("POST", path, body);
        assert_eq!(answer.status, 204, "{path}: {answer:?}");
    }

    /// A request that is refused; the answer says what to do.
    pub(crate) fn refused(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        problem(&self.call(method, path, body))
    }

    pub(crate) fn begin(&self, handler: &str, id: &str, input: &Value) {
        let new = json!({"handler": handler, "id": id, "input": input});
        let answer = self.call("POST", "/api/executions", &new);
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// Waits until an execution has this status.
    pub(crate) fn until(&self, id: &str, status: &str) -> Value {
        self.wait_for(id, |execution| execution["status"] == status)
    }

    pub(crate) fn wait_for(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let now = self.get(&execution(id, ""));
            if wanted(&now) {
                return now;
            }
            assert!(begun.elapsed() < PATIENCE, "{now}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until an execution has an operation that fits, and returns it.
    pub(crate) fn operation(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let page = self.get(&execution(id, "/operations"));
            let operations = page["operations"].as_array().unwrap();
            if let Some(found) = operations.iter().find(|operation| wanted(operation)) {
                return found.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "{page}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Status and detail of an error, which has all of its parts.
pub(crate) fn problem(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    assert_eq!(
        answer.header("content-type"),
        "application/problem+json",
        "{answer:?}"
    );
    assert_eq!(body["status"], answer.status, "{answer:?}");
    for part in ["title", "detail", "help"] {
        let text = body[part].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{answer:?}");
    }
    (answer.status, body["detail"].as_str().unwrap().to_owned())
}

/// The path of an execution in the API.
pub(crate) fn execution(id: &str, more: &str) -> String {
    format!("/api/executions/{}{more}", encoded(id))
}
