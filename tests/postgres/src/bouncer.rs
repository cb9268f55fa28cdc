//! PgBouncer in transaction mode.

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::{Program, folder, free_port, hand_over, new_log, skip};
use crate::server::{Server, client};

/// A running PgBouncer in front of a server.
pub struct Bouncer {
    _program: Program,
    _folder: TempDir,
    port: u16,
}

impl Bouncer {
    /// Starts a PgBouncer with few connections to the server, if one is installed.
    pub async fn start(server: &Server) -> Option<Self> {
        let installed = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];
        let Some(path) = installed
            .map(Path::new)
            .into_iter()
            .find(|path| path.exists())
        else {
            skip("PgBouncer");
            return None;
        };
        let (folder, port) = (folder(), free_port());
        let file = |name: &str| folder.path().join(name);
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = \
             {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 4\nlogfile = {}\n",
            server.port(),
            file("own-log").display(),
        );
        std::fs::write(file("bouncer.ini"), text).unwrap();
        hand_over(&file("bouncer.ini"));
        new_log(&file("log"));
        let arguments = [file("bouncer.ini").to_str().unwrap().to_owned()];
        let bouncer = Self {
            _program: Program::start(path, &arguments, &file("log")),
            port,
            _folder: folder,
        };
        let begun = Instant::now();
        while client(&bouncer.url("postgres")).await.is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "PgBouncer does not answer"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(bouncer)
    }

    /// URL of a database through this PgBouncer.
    pub fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable&pgbouncer=true")
    }
}
