//! Child processes that end with the test, even if the test is killed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// A running program. It is killed when this is dropped and when the test process ends: a shell
/// waits for the end of a pipe from the test.
pub(crate) struct Program {
    shell: Child,
    pid: Pid,
}

impl Program {
    /// Starts a program that writes its output to `log`.
    pub(crate) fn start(program: &Path, arguments: &[String], log: &Path) -> Self {
        let script = "\"$@\" </dev/null >>\"$LOG\" 2>&1 & echo $!; exec 3>&1 >/dev/null; read -r _; kill -9 $! 2>/dev/null; wait";
        let mut shell = as_user(Path::new("/bin/sh"));
        shell
            .args(["-c", script, "sh"])
            .arg(program)
            .args(arguments);
        shell
            .env("LOG", log)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(shell.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let pid = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        Self { shell, pid }
    }

    /// Sends a signal to the program, but not to its children.
    pub(crate) fn signal(&self, signal: Signal) {
        // Fails if the program has ended already.
        let _ = kill_process(self.pid, signal);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// A command that does not run as root, which PostgreSQL refuses.
pub(crate) fn as_user(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if let Some((uid, gid)) = other_user() {
        command.uid(uid).gid(gid);
    }
    command
}

/// Changes the owner of a file or folder to the user that programs run as.
pub(crate) fn hand_over(path: &Path) {
    if let Some((uid, gid)) = other_user() {
        std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
    }
}

/// The user `postgres` of the package, if this process is root.
fn other_user() -> Option<(u32, u32)> {
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let mut words = line
        .expect("the package creates a user `postgres`")
        .split(':')
        .skip(2);
    let mut number = || words.next().unwrap().parse().unwrap();
    Some((number(), number()))
}

/// A folder that programs can write to.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new()
        .prefix("durable-postgres-")
        .tempdir()
        .unwrap();
    hand_over(folder.path());
    folder
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The newest installed PostgreSQL program with this name.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let versions = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin").join(name)));
    versions.filter(|path| path.exists()).max()
}

/// Reports a skipped test, or fails if tests must not be skipped.
pub(crate) fn skip(what: &str) {
    assert!(
        std::env::var_os("DURABLE_REQUIRE_POSTGRES").is_none(),
        "{what} is not installed, and DURABLE_REQUIRE_POSTGRES is set"
    );
    println!("skipped: no {what}");
}

/// Creates an empty log.
pub(crate) fn new_log(path: &Path) {
    File::create(path).unwrap();
    hand_over(path);
}
