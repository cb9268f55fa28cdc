//! Processes that run a test of this program as their body.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use durable_postgres::PostgresStore;
use rustix::process::{Pid, Signal, kill_process};

/// What a process was given.
pub(crate) struct Given {
    pub(crate) url: String,
    pub(crate) folder: PathBuf,
}

/// Returns what this process was given, or `None` if it runs tests.
pub(crate) fn given() -> Option<Given> {
    Some(Given {
        url: std::env::var("DURABLE_CHAOS_URL").ok()?,
        folder: std::env::var_os("DURABLE_CHAOS_FOLDER")?.into(),
    })
}

impl Given {
    /// Opens the store, whose server may be starting.
    pub(crate) async fn store(&self) -> PostgresStore {
        loop {
            match PostgresStore::connect(&self.url).await {
                Ok(store) => return store,
                Err(error) => println!("{error}"),
            }
        }
    }
}

/// Processes, which are killed when this is dropped.
pub(crate) struct Workers {
    running: Vec<Child>,
    urls: Vec<String>,
    body: &'static str,
    folder: PathBuf,
}

impl Workers {
    pub(crate) fn start(body: &'static str, count: usize, url: &str, folder: &Path) -> Self {
        Self::start_each(body, vec![url.to_owned(); count], folder)
    }

    /// Starts one process for each URL.
    pub(crate) fn start_each(body: &'static str, urls: Vec<String>, folder: &Path) -> Self {
        let mut workers = Self {
            running: Vec::new(),
            urls,
            body,
            folder: folder.to_owned(),
        };
        workers.running = workers.urls.iter().map(|url| workers.spawn(url)).collect();
        workers
    }

    fn spawn(&self, url: &str) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", self.body, "--nocapture", "--test-threads=1"]);
        command
            .env("DURABLE_CHAOS_URL", url)
            .env("DURABLE_CHAOS_FOLDER", &self.folder);
        command.stdout(Stdio::null()).spawn().unwrap()
    }

    /// Kills a process and starts another one.
    pub(crate) fn replace(&mut self, index: usize) {
        let victim = &mut self.running[index];
        victim.kill().unwrap();
        victim.wait().unwrap();
        self.running[index] = self.spawn(&self.urls[index]);
    }

    /// Stops a process, which stays as it is until it is continued.
    pub(crate) fn stop(&self, index: usize) {
        self.signal(index, Signal::STOP);
    }

    /// Continues a stopped process.
    pub(crate) fn resume(&self, index: usize) {
        self.signal(index, Signal::CONT);
    }

    fn signal(&self, index: usize, signal: Signal) {
        let pid = i32::try_from(self.running[index].id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits until all processes have ended by themselves.
    pub(crate) fn wait(mut self) {
        for worker in &mut self.running {
            assert!(worker.wait().unwrap().success());
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.running {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

/// Reads a number from the environment.
pub(crate) fn number(name: &str, usual: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(usual, |text| text.parse().unwrap())
}
