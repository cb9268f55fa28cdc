//! A primary with a synchronous standby, and failovers between them.

use std::time::{Duration, Instant};

use durable_postgres_tests::{Server, client};

/// Size of the file systems of the data, where one may be mounted.
const MEGABYTES: u32 = 400;

/// A primary with a synchronous standby. Each of the two ports belongs to one of them.
pub(crate) struct Pair {
    primary: Server,
    standby: Server,
}

impl Pair {
    pub(crate) async fn start() -> Option<Self> {
        let settings = [
            ("max_connections", "60"),
            ("superuser_reserved_connections", "0"),
            ("max_wal_size", "64MB"),
            ("wal_keep_size", "64MB"),
            // A standby whose primary was restarted connects again at once.
            ("wal_retrieve_retry_interval", "100ms"),
        ];
        let primary = Server::start_on(&settings, Some(MEGABYTES)).await?;
        let standby = primary.standby_on("s", free_port(), Some(MEGABYTES)).await;
        let pair = Self { primary, standby };
        pair.make_synchronous().await;
        Some(pair)
    }

    pub(crate) fn primary(&self) -> &Server {
        &self.primary
    }

    /// Ports of the two servers, in an order that failovers do not change.
    pub(crate) fn ports(&self) -> [u16; 2] {
        let mut ports = [self.primary.port(), self.standby.port()];
        ports.sort_unstable();
        ports
    }

    /// URL of a database for connections to whichever of two ports leads to the primary.
    pub(crate) fn url([first, second]: [u16; 2], database: &str) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/{database}?sslmode=disable&connect_timeout=2&\
             target_session_attrs=read-write"
        )
    }

    /// From now on the primary waits for the standby before it confirms a commit.
    async fn make_synchronous(&self) {
        self.primary.set("synchronous_standby_names", "'*'").await;
        self.until_in_sync().await;
    }

    /// Waits until the standby has all that is visible at the primary.
    ///
    /// A commit whose connection or server was lost while it waited for the standby is visible before the standby has it.
    async fn until_in_sync(&self) {
        let admin = self.primary.admin().await;
        let position = "SELECT pg_current_wal_lsn()::text";
        let position: String = admin.query_one(position, &[]).await.unwrap().get(0);
        let in_sync = format!(
            "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND flush_lsn >= '{position}'"
        );
        let begun = Instant::now();
        while admin
            .query_one(&in_sync, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            == 0
        {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "the standby does not follow: {}",
                self.standby.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills the primary, promotes the standby after `outage`, and gives it a new standby in the place of the old primary.
    pub(crate) async fn fail_over(&mut self, outage: Duration) {
        self.until_in_sync().await;
        self.primary.kill();
        tokio::time::sleep(outage).await;
        self.standby.promote();
        std::mem::swap(&mut self.primary, &mut self.standby);
        let port = self.standby.port();
        self.standby = self.primary.standby_on("s", port, Some(MEGABYTES)).await;
        self.make_synchronous().await;
    }

    /// Kills the primary and starts it again after `outage`.
    pub(crate) async fn restart_primary(&mut self, outage: Duration) {
        self.primary.kill();
        tokio::time::sleep(outage).await;
        self.primary.restart().await;
        self.until_in_sync().await;
    }

    /// Kills the standby and starts it again after `outage`. Until then, no commit is confirmed.
    pub(crate) async fn restart_standby(&mut self, outage: Duration) {
        self.standby.kill();
        tokio::time::sleep(outage).await;
        self.standby.restart().await;
        self.until_in_sync().await;
    }

    /// Leaves the primary without space for this time. Returns `false` if its disk cannot be filled.
    pub(crate) async fn fill_disk(&mut self, outage: Duration) -> bool {
        let Some(disk) = self.primary.disk() else {
            return false;
        };
        let ballast = disk.fill();
        tokio::time::sleep(outage).await;
        drop(ballast);
        // The server ends if it cannot write its log.
        let begun = Instant::now();
        while !self.primary.is_up().await {
            if begun.elapsed() > Duration::from_secs(3) {
                self.primary.kill();
                self.primary.restart().await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.until_in_sync().await;
        true
    }

    /// Makes transactions read-only for this time.
    pub(crate) async fn forbid_writes(&self, time: Duration) {
        let setting = "default_transaction_read_only";
        self.primary.set(setting, "on").await;
        tokio::time::sleep(time).await;
        self.primary.set(setting, "DEFAULT").await;
    }

    /// Holds a lock on the records for this time, so that statements exceed their timeout.
    pub(crate) async fn lock_records(&self, database: &str, time: Duration) {
        let blocker = client(&self.primary.url(database)).await.unwrap();
        let lock = "BEGIN; LOCK TABLE durable.records IN ACCESS EXCLUSIVE MODE";
        blocker.batch_execute(lock).await.unwrap();
        tokio::time::sleep(time).await;
        blocker.batch_execute("ROLLBACK").await.unwrap();
    }

    /// Uses up the connections of the primary for this time. Returns how many were free.
    pub(crate) async fn exhaust_connections(&self, time: Duration) -> usize {
        let url = self.primary.url("postgres");
        let until = Instant::now() + time;
        let mut held = Vec::new();
        while Instant::now() < until {
            match client(&url).await {
                Ok(one) => held.push(one),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        let count = held.len();
        drop(held);
        self.primary.admin().await;
        count
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
