//! TLS to a server with a certificate of a private authority.

use std::path::Path;
use std::time::{Duration, Instant};

use durable_core::store::{ExecutionStore, StoreError, StoreErrorKind};
use durable_postgres::PostgresStore;
use durable_postgres_tests::{Authority, Server};

use crate::support::{new, open};

/// A server whose certificate is for `localhost`.
struct Secured {
    server: Server,
    authority: Authority,
    url: String,
}

impl Secured {
    async fn start() -> Option<Self> {
        let authority = Authority::create()?;
        let mut server = Server::start(&[]).await?;
        let issued = authority.issue("localhost");
        server.configure(&[
            ("ssl", "on"),
            ("ssl_cert_file", issued.certificate.to_str().unwrap()),
            ("ssl_key_file", issued.key.to_str().unwrap()),
        ]);
        server.kill();
        server.restart().await;
        let url = server.database().await;
        Some(Self {
            server,
            authority,
            url,
        })
    }

    fn url(&self, host: &str, query: &str) -> String {
        let url = self.url.replace("127.0.0.1", host);
        url.replace("sslmode=disable", query)
    }

    /// Whether the connections of a store are encrypted. They all have to be, or none.
    async fn encrypted(&self, query: &str) -> bool {
        let store = open(&self.url("localhost", &format!("{query}&listen=false"))).await;
        store.start(new(query)).await.unwrap();
        let select = "SELECT DISTINCT ssl FROM pg_stat_ssl NATURAL JOIN pg_stat_activity WHERE application_name = 'durable'";
        let admin = self.server.admin().await;
        let rows = admin.query(select, &[]).await.unwrap();
        assert_eq!(rows.len(), 1, "{query}");
        let encrypted = rows[0].get(0);
        drop(store);
        let none = "SELECT FROM pg_stat_activity WHERE application_name = 'durable'";
        while !admin.query(none, &[]).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        encrypted
    }
}

fn verify_full(root: &Path) -> String {
    format!("sslmode=verify-full&sslrootcert={}", root.display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mode_encrypts_but_disable() {
    let Some(secured) = Secured::start().await else {
        return;
    };
    let verified = verify_full(&secured.authority.root());
    assert!(secured.encrypted(&verified).await);
    assert!(secured.encrypted("sslmode=require").await);
    assert!(secured.encrypted("sslmode=prefer").await);
    assert!(!secured.encrypted("sslmode=disable").await);
}

/// The error of opening a store. It is final, so it is not retried.
async fn refused(url: &str) -> StoreError {
    let begun = Instant::now();
    let error = PostgresStore::connect(url).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(4), "{error}");
    assert_eq!(error.kind(), StoreErrorKind::Unusable, "{error}");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_full_refuses_an_unknown_authority_and_another_host() {
    let Some(secured) = Secured::start().await else {
        return;
    };
    // Another authority with the same name.
    let stranger = Authority::create().unwrap();
    for (host, query, words) in [
        (
            "localhost",
            verify_full(&stranger.root()),
            ["BadSignature", "sslrootcert"],
        ),
        (
            "localhost",
            "sslmode=verify-full".to_owned(),
            ["UnknownIssuer", "sslrootcert"],
        ),
        (
            "127.0.0.1",
            verify_full(&secured.authority.root()),
            ["localhost", "host name"],
        ),
        (
            "localhost",
            verify_full(Path::new("/nowhere.pem")),
            ["cannot read sslrootcert", "/nowhere.pem"],
        ),
    ] {
        let error = refused(&secured.url(host, &query)).await.to_string();
        for word in words {
            assert!(error.contains(word), "{word:?} is not in: {error}");
        }
    }
    // Without TLS on the server, it is not left out.
    let plain = Server::start(&[]).await.unwrap();
    let url = plain.database().await.replace("disable", "require");
    let error = refused(&url).await.to_string();
    assert!(error.contains("TLS"), "{error}");
}
