//! Connections, with their prepared statements.

mod own;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use durable_core::store::StoreError;
use futures_util::FutureExt;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Connection, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

#[cfg(feature = "sqlx")]
use crate::driver;
use crate::driver::{Row, SqlError};
use crate::error::Fault;
use crate::options::Options;
use crate::tls;
pub(crate) use own::OwnConn;

/// A parameter of a statement and its type.
pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// Builds parameters of a statement: `params![key => INT8, name => TEXT]`.
macro_rules! params {
    ($($value:expr => $kind:ident),* $(,)?) => {
        &[$((&$value as &(dyn tokio_postgres::types::ToSql + Sync), tokio_postgres::types::Type::$kind)),*]
    };
}
pub(crate) use params;

/// Like `params!`, for values that are references already.
macro_rules! values {
    ($($value:expr => $kind:ident),* $(,)?) => {
        &[$(($value as &(dyn tokio_postgres::types::ToSql + Sync), tokio_postgres::types::Type::$kind)),*]
    };
}
pub(crate) use values;

/// Opens connections with the same options.
pub(crate) struct Connector {
    options: Options,
    tls: MakeRustlsConnect,
    texts: Texts,
    statements: Arc<AtomicU64>,
}

/// Prepared plans are cached while the tables grow from empty, and a sequential scan that is best
/// for an empty table would stay. All statements of the store find rows by index.
///
/// Frequent statements read array parameters as `unnest((SELECT $1::int8[]))`. Otherwise PostgreSQL sees their lengths, takes a
/// plan for a single row to be cheaper than one for any number, and plans the statement again each time.
const PLANS: &str = "SET enable_seqscan TO off; SET jit TO off";

/// Text of statements by template, in which `@` stands for the schema.
type Texts = Arc<Mutex<HashMap<&'static str, Arc<str>>>>;

/// Callback for notifications.
pub(crate) type Notified = Box<dyn Fn(tokio_postgres::Notification) + Send + Sync>;

impl Connector {
    pub(crate) fn new(options: Options) -> Result<Self, StoreError> {
        let tls = tls::connector(&options)?;
        Ok(Self {
            options,
            tls,
            texts: Texts::default(),
            statements: Arc::default(),
        })
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Number of statements sent over all connections.
    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    pub(crate) async fn connect(&self, notified: Option<Notified>) -> Result<OwnConn, Fault> {
        let (client, connection) = self.options.config.connect(self.tls.clone()).await?;
        tokio::spawn(drive(connection, notified));
        let client = Arc::new(client);
        let conn = Conn {
            prepared: (!self.options.pgbouncer).then(Mutex::default),
            ..self.conn(Link::Own(Arc::clone(&client)))
        };
        let conn = OwnConn::new(conn, client);
        if !self.options.pgbouncer {
            conn.batch(PLANS).await?;
        }
        Ok(conn)
    }

    /// Uses a connection of the caller. Statements are not prepared on it, and its settings stay as they are.
    pub(crate) fn callers<'t>(&self, client: &'t Client) -> Conn<'t> {
        self.conn(Link::Caller(client))
    }

    /// Like [`callers`](Self::callers), for a connection of sqlx.
    #[cfg(feature = "sqlx")]
    pub(crate) fn callers_sqlx<'t>(&self, connection: &'t mut sqlx::PgConnection) -> Conn<'t> {
        self.conn(Link::Sqlx(tokio::sync::Mutex::new(connection)))
    }

    fn conn<'t>(&self, link: Link<'t>) -> Conn<'t> {
        Conn {
            link,
            prepared: None,
            texts: Arc::clone(&self.texts),
            schema: self.options.schema.clone(),
            statements: Arc::clone(&self.statements),
        }
    }
}

/// Drives the protocol until the connection ends.
async fn drive<S>(mut connection: Connection<Socket, S>, notified: Option<Notified>)
where
    S: tokio_postgres::tls::TlsStream + Unpin,
{
    let messages = std::future::poll_fn(|cx| {
        while let Some(message) = std::task::ready!(connection.poll_message(cx)) {
            match message {
                Ok(AsyncMessage::Notification(told)) => {
                    if let Some(notified) = &notified {
                        notified(told);
                    }
                }
                Ok(AsyncMessage::Notice(notice)) => tracing::debug!(%notice, "PostgreSQL says"),
                Ok(_) => {}
                Err(error) => return std::task::Poll::Ready(Err(error)),
            }
        }
        std::task::Poll::Ready(Ok(()))
    });
    if let Err(error) = messages.await {
        tracing::debug!(%error, "a connection to PostgreSQL ended");
    }
}

enum Link<'t> {
    Own(Arc<Client>),
    Caller(&'t Client),
    #[cfg(feature = "sqlx")]
    Sqlx(tokio::sync::Mutex<&'t mut sqlx::PgConnection>),
}

/// Connection that runs statements.
pub(crate) struct Conn<'t> {
    link: Link<'t>,
    /// `None` on connections of callers, and behind a pooler that may change the server session between two statements.
    prepared: Option<Mutex<HashMap<&'static str, Statement>>>,
    texts: Texts,
    schema: String,
    statements: Arc<AtomicU64>,
}

impl Conn<'_> {
    /// The text of a template's statement.
    pub(crate) fn text(&self, template: &'static str) -> Arc<str> {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let text = texts
            .entry(template)
            .or_insert_with(|| self.qualified(template).into());
        Arc::clone(text)
    }

    /// Replaces the placeholders for the schema in a text.
    pub(crate) fn qualified(&self, text: &str) -> String {
        text.replace("@.", &format!("{}.", self.schema))
    }

    /// The schema of the tables.
    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// Runs a statement that is prepared once for each connection.
    pub(crate) async fn query(
        &self,
        template: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, SqlError> {
        let (Link::Own(client), Some(prepared)) = (&self.link, &self.prepared) else {
            return self.query_once(&self.text(template), params).await;
        };
        let known = {
            let prepared = prepared.lock().unwrap_or_else(PoisonError::into_inner);
            prepared.get(template).cloned()
        };
        let statement = match known {
            Some(statement) => statement,
            None => {
                let types: Vec<_> = params.iter().map(|(_, kind)| kind.clone()).collect();
                let text = self.text(template);
                let statement = client.prepare_typed(&text, &types).await?;
                let mut prepared = prepared.lock().unwrap_or_else(PoisonError::into_inner);
                prepared.insert(template, statement.clone());
                statement
            }
        };
        self.statements.fetch_add(1, Ordering::Relaxed);
        let values: Vec<_> = params.iter().map(|(value, _)| *value).collect();
        Ok(rows(client.query(&statement, &values).await?))
    }

    /// Runs a statement once, unprepared, planned for its parameters.
    pub(crate) async fn query_once(
        &self,
        text: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, SqlError> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        match &self.link {
            Link::Own(client) => Ok(rows(client.query_typed(text, params).await?)),
            Link::Caller(client) => Ok(rows(client.query_typed(text, params).await?)),
            #[cfg(feature = "sqlx")]
            Link::Sqlx(connection) => {
                let mut connection = connection.lock().await;
                let found = driver::sqlx::query(&mut connection, text.to_owned(), params).await?;
                Ok(found.into_iter().map(Row::Sqlx).collect())
            }
        }
    }
}

fn rows(found: Vec<tokio_postgres::Row>) -> Vec<Row> {
    found.into_iter().map(Row::Tokio).collect()
}

/// Sends statements without waiting for the answer. If the connection is lost, the next statement fails too.
pub(crate) fn send(client: &Client, text: &str) {
    let _ = client.batch_execute(text).now_or_never();
}
