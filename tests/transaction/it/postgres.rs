//! PostgreSQL servers.

use std::sync::Arc;

use durable::BoxError;
use durable::transaction::{Clients, TokioPostgres, migrate};
use durable_postgres_tests::{Server, client};
use sqlx::PgPool;
use tokio_postgres::Client;

use crate::bank::{ACCOUNTS, Alive, Database, FACTS, Facts};
use crate::handlers::sqlx_methods;

mod with_sqlx {
    use durable::prelude::*;
    use sqlx::{PgConnection, PgPool};

    move_money!(
        PgConnection,
        "UPDATE accounts SET cents = cents + $1 WHERE id = $2",
        "INSERT INTO ledger VALUES ($1)"
    );

    use crate::handlers::{bank, move_money};

    bank!(PgPool, move_money);
    bank!(@tests transfer: a_zombie_with_an_open_transaction_commits_nothing);
}

mod with_tokio_postgres {
    use durable::prelude::*;
    use tokio_postgres::Client;

    use crate::handlers::bank;

    async fn move_money(tx: &Client, cents: i64) -> Result<i64, BoxError> {
        for (change, account) in [(-cents, 1), (cents, 2)] {
            let update = "UPDATE accounts SET cents = cents + $1 WHERE id = $2";
            tx.execute(update, &[&change, &account]).await?;
        }
        let insert = "INSERT INTO ledger VALUES ($1)";
        tx.execute(insert, &[&cents]).await?;
        let select = "SELECT cents FROM accounts WHERE id = 1";
        Ok(tx.query_one(select, &[]).await?.try_get(0)?)
    }

    bank!(super::Pool, move_money);
    bank!(@tests transfer: a_zombie_with_an_open_transaction_commits_nothing);
}

/// Opens a connection for each transaction.
pub(crate) struct Connections {
    url: String,
}

impl Clients for Connections {
    type Client = Arc<Client>;

    async fn client(&self) -> Result<Arc<Client>, BoxError> {
        Ok(Arc::new(client(&self.url).await?))
    }
}

type Pool = TokioPostgres<Connections>;

/// Creates a database with the accounts and returns its URL.
async fn database() -> Option<(String, Alive)> {
    let server = Server::shared().await?;
    let url = server.database().await;
    let accounts = client(&url).await.unwrap();
    accounts.batch_execute(&ACCOUNTS.join(";")).await.unwrap();
    Some((url, Box::new(server)))
}

impl Database for PgPool {
    async fn open() -> Option<(Self, Alive)> {
        let (url, server) = database().await?;
        let pool = Self::connect(&url).await.unwrap();
        migrate(&pool).await.unwrap();
        Some((pool, server))
    }

    sqlx_methods!();
}

impl Database for Pool {
    async fn open() -> Option<(Self, Alive)> {
        let (url, server) = database().await?;
        let pool = Self::from_clients(Connections { url });
        migrate(&pool).await.unwrap();
        Some((pool, server))
    }

    async fn facts(&self) -> Facts {
        let client = self.clients().client().await.unwrap();
        let mut facts = [0; 5];
        for (fact, query) in facts.iter_mut().zip(FACTS) {
            *fact = client.query_one(query, &[]).await.unwrap().get(0);
        }
        Facts::of(facts)
    }

    async fn execute(&self, sql: &'static str) {
        let client = self.clients().client().await.unwrap();
        client.batch_execute(sql).await.unwrap();
    }
}
