//! MariaDB server, which speaks MySQL's protocol.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use durable::transaction::migrate;
use sqlx::MySqlPool;
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::bank::{ACCOUNTS, Alive, Database, FACTS, Facts};
use crate::handlers::sqlx_methods;

mod with_sqlx {
    use crate::handlers::{bank, move_money};
    use durable::prelude::*;
    use sqlx::{MySqlConnection, MySqlPool};

    move_money!(
        MySqlConnection,
        "UPDATE accounts SET cents = cents + ? WHERE id = ?",
        "INSERT INTO ledger VALUES (?)"
    );

    bank!(MySqlPool, move_money);
    bank!(@tests transfer: a_zombie_with_an_open_transaction_commits_nothing);
}

/// Server with its own folder and port. User `root` logs in without a password.
pub(crate) struct Server {
    child: Child,
    url: String,
    databases: AtomicU32,
    _folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn installed(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let mut paths = folders.iter().map(|folder| Path::new(folder).join(name));
    paths.find(|path| path.exists())
}

impl Server {
    /// Returns a server that tests share as long as one of them uses it. `None` if MariaDB is not installed.
    pub(crate) async fn shared() -> Option<Arc<Self>> {
        static SERVER: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());
        let mut shared = SERVER.lock().await;
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::start().await?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    async fn start() -> Option<Self> {
        let (Some(server), Some(install)) =
            (installed("mariadbd"), installed("mariadb-install-db"))
        else {
            assert!(
                std::env::var_os("DURABLE_REQUIRE_MYSQL").is_none(),
                "MariaDB is not installed, and DURABLE_REQUIRE_MYSQL is set"
            );
            println!("skipped: no MariaDB");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let data = format!("--datadir={}/data", folder.path().display());
        // In a folder that servers share, temporary tables of two of them can have the same name.
        let temporary = format!("--tmpdir={}", folder.path().display());
        let installed = Command::new(install)
            .args(["--no-defaults", &data, &temporary, "--user=root"])
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .output()
            .unwrap();
        assert!(
            installed.status.success(),
            "{}",
            String::from_utf8_lossy(&installed.stderr)
        );
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let child = Command::new(server)
            .args(["--no-defaults", &data, &temporary, "--user=root"])
            .args(["--bind-address=127.0.0.1", &format!("--port={port}")])
            .arg(format!("--socket={}/socket", folder.path().display()))
            .args([
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-buffer-pool-size=16M",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self {
            child,
            url: format!("mysql://root@127.0.0.1:{port}"),
            databases: AtomicU32::new(0),
            _folder: folder,
        };
        let begun = Instant::now();
        while MySqlPool::connect(&server.url).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "MariaDB starts");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(server)
    }

    /// Creates a database and returns its URL.
    pub(crate) async fn database(&self) -> String {
        let name = format!("bank{}", self.databases.fetch_add(1, SeqCst));
        let pool = MySqlPool::connect(&self.url).await.unwrap();
        let create = format!("CREATE DATABASE {name}");
        let create = sqlx::raw_sql(sqlx::AssertSqlSafe(create));
        create.execute(&pool).await.unwrap();
        format!("{}/{name}", self.url)
    }
}

impl Database for MySqlPool {
    async fn open() -> Option<(Self, Alive)> {
        let server = Server::shared().await?;
        let pool = Self::connect(&server.database().await).await.unwrap();
        for statement in ACCOUNTS {
            sqlx::query(statement).execute(&pool).await.unwrap();
        }
        migrate(&pool).await.unwrap();
        Some((pool, Box::new(server)))
    }

    sqlx_methods!();
}
