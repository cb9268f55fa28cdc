//! PostgreSQL server for a test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio_postgres::{Client, Config, NoTls};

use crate::disk::Disk;
use crate::program::{Program, as_user, folder, free_port, installed, new_log, skip};
use crate::template;

/// Settings of a server, as lines of `postgresql.conf`. `fsync` is `off` unless they turn it on.
pub type Settings<'a> = &'a [(&'a str, &'a str)];

/// Server with its own folder and port. It listens on loopback, and user `postgres` logs in
/// without a password.
pub struct Server {
    program: Option<Program>,
    disk: Option<Disk>,
    folder: TempDir,
    port: u16,
    databases: AtomicU32,
}

impl Server {
    /// Starts a server with an empty cluster, if PostgreSQL is installed.
    pub async fn start(settings: Settings<'_>) -> Option<Self> {
        Self::start_on(settings, None).await
    }

    /// Returns a server that tests share as long as one of them uses it, if PostgreSQL is installed. Each test creates a
    /// database of its own.
    pub async fn shared() -> Option<Arc<Self>> {
        static SERVER: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());
        let mut shared = SERVER.lock().await;
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::start(&[("max_connections", "300")]).await?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// Starts a server whose data is on a file system of this many megabytes, where mounting one is permitted.
    pub async fn start_on(settings: Settings<'_>, megabytes: Option<u32>) -> Option<Self> {
        let Some(initdb) = installed("initdb") else {
            skip("PostgreSQL");
            return None;
        };
        let mut server = Self::in_folder(free_port(), megabytes);
        template::copy(&initdb, &server.data());
        // What a killed server has written stays in the memory of the operating system, so nothing has to be flushed.
        server.configure(&[("fsync", "off")]);
        server.configure(settings);
        server.launch().await;
        Some(server)
    }

    /// Starts a standby of this server. `name` is its application name at the primary.
    pub async fn standby(&self, name: &str) -> Self {
        self.standby_on(name, free_port(), None).await
    }

    /// Starts a standby that listens on this port, whose data is on a file system of this many megabytes, where mounting one
    /// is permitted.
    pub async fn standby_on(&self, name: &str, port: u16, megabytes: Option<u32>) -> Self {
        let mut standby = Self::in_folder(port, megabytes);
        let mut command = as_user(&installed("pg_basebackup").unwrap());
        let from = format!(
            "host=127.0.0.1 port={} user=postgres application_name={name}",
            self.port
        );
        command.args(["-R", "-N", "-c", "fast", "-d", &from, "-D"]);
        let copied = command.arg(standby.data()).output().unwrap();
        assert!(
            copied.status.success(),
            "{}",
            String::from_utf8_lossy(&copied.stderr)
        );
        standby.launch().await;
        standby
    }

    fn in_folder(port: u16, megabytes: Option<u32>) -> Self {
        let folder = folder();
        new_log(&folder.path().join("log"));
        let disk = megabytes.and_then(|size| Disk::mount(&folder.path().join("disk"), size));
        Self {
            program: None,
            disk,
            folder,
            port,
            databases: AtomicU32::new(0),
        }
    }

    fn data(&self) -> PathBuf {
        match self.disk {
            Some(_) => self.folder.path().join("disk/data"),
            None => self.folder.path().join("data"),
        }
    }

    /// File system of the data, if one was mounted for it.
    pub fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// Adds settings for the next start.
    pub fn configure(&self, settings: Settings<'_>) {
        let file = self.data().join("postgresql.conf");
        let mut text = std::fs::read_to_string(&file).unwrap();
        for (name, value) in settings {
            text.push_str(&format!("\n{name} = '{value}'"));
        }
        std::fs::write(&file, text).unwrap();
    }

    async fn launch(&mut self) {
        let arguments: Vec<_> = [
            "-D",
            self.data().to_str().unwrap(),
            "-k",
            self.folder.path().to_str().unwrap(),
            "-p",
            &self.port.to_string(),
            "-c",
            "listen_addresses=127.0.0.1",
        ]
        .map(str::to_owned)
        .into();
        let program = installed("postgres").unwrap();
        self.program = Some(Program::start(
            &program,
            &arguments,
            &self.folder.path().join("log"),
        ));
        let begun = Instant::now();
        while self.try_admin().await.is_none() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills the server. Clients see the same as after a power loss; files keep what was written without a flush.
    pub fn kill(&mut self) {
        if let Some(program) = self.program.take() {
            program.signal(Signal::KILL);
        }
        // Its session processes notice, end, and release the folder.
        let port = self.port;
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "the server is still running"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(300));
    }

    /// Restarts the server in the same folder and on the same port.
    pub async fn restart(&mut self) {
        self.program = None;
        self.launch().await;
    }

    /// Promotes a standby to primary.
    pub fn promote(&self) {
        let mut command = as_user(&installed("pg_ctl").unwrap());
        let promoted = command
            .args(["promote", "-w", "-D"])
            .arg(self.data())
            .output()
            .unwrap();
        assert!(
            promoted.status.success(),
            "{}",
            String::from_utf8_lossy(&promoted.stderr)
        );
    }

    /// Changes a setting of the running server.
    pub async fn set(&self, name: &str, value: &str) {
        let admin = self.admin().await;
        let set = format!("ALTER SYSTEM SET {name} = {value}");
        for statement in [&*set, "SELECT pg_reload_conf()"] {
            admin.batch_execute(statement).await.unwrap();
        }
    }

    /// Port that the server listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Folder of its data and its log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Content of its log.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.folder.path().join("log")).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Creates a database and returns its URL.
    pub async fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        let admin = self.admin().await;
        admin
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        self.url(&name)
    }

    /// URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable",
            self.port
        )
    }

    /// Whether the server accepts connections.
    pub async fn is_up(&self) -> bool {
        self.try_admin().await.is_some()
    }

    /// Connects to the database `postgres`.
    pub async fn admin(&self) -> Client {
        let begun = Instant::now();
        loop {
            match self.try_admin().await {
                Some(client) => return client,
                // All connections may be in use for a moment.
                None => assert!(begun.elapsed() < Duration::from_secs(20), "{}", self.log()),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn try_admin(&self) -> Option<Client> {
        client(&self.url("postgres")).await.ok()
    }
}

/// Connects to the database of a URL.
pub async fn client(url: &str) -> Result<Client, tokio_postgres::Error> {
    let plain = url.split('?').next().unwrap_or(url);
    let config: Config = plain.parse()?;
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(client)
}
