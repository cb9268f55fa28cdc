//! A connection with its prepared statements.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use durable_core::store::StoreError;
use futures_util::FutureExt;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Connection, Row, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::Fault;
use crate::options::Options;
use crate::tls;

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

    pub(crate) async fn connect(&self, notified: Option<Notified>) -> Result<Conn<'static>, Fault> {
        let (client, connection) = self.options.config.connect(self.tls.clone()).await?;
        tokio::spawn(drive(connection, notified));
        let conn = Conn {
            prepared: (!self.options.pgbouncer).then(Mutex::default),
            ..self.conn(Link::Own(client))
        };
        if !self.options.pgbouncer {
            conn.batch(PLANS).await?;
        }
        Ok(conn)
    }

    /// Uses a connection of the caller. Statements are not prepared on it, and its settings stay as they are.
    pub(crate) fn callers<'t>(&self, client: &'t Client) -> Conn<'t> {
        self.conn(Link::Caller(client))
    }

    fn conn<'t>(&self, link: Link<'t>) -> Conn<'t> {
        Conn {
            link,
            prepared: None,
            texts: Arc::clone(&self.texts),
            schema: self.options.schema.clone(),
            statements: Arc::clone(&self.statements),
            in_transaction: AtomicBool::new(false),
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
    Own(Client),
    Caller(&'t Client),
}

pub(crate) struct Conn<'t> {
    link: Link<'t>,
    /// `None` on connections of callers, and behind a pooler that may change the server session between two statements.
    prepared: Option<Mutex<HashMap<&'static str, Statement>>>,
    texts: Texts,
    schema: String,
    statements: Arc<AtomicU64>,
    /// Whether a transaction was begun whose end was not confirmed.
    in_transaction: AtomicBool,
}

impl Conn<'_> {
    fn client(&self) -> &Client {
        match &self.link {
            Link::Own(client) => client,
            Link::Caller(client) => client,
        }
    }

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
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let Some(prepared) = &self.prepared else {
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
                let statement = self.client().prepare_typed(&text, &types).await?;
                let mut prepared = prepared.lock().unwrap_or_else(PoisonError::into_inner);
                prepared.insert(template, statement.clone());
                statement
            }
        };
        self.statements.fetch_add(1, Ordering::Relaxed);
        let values: Vec<_> = params.iter().map(|(value, _)| *value).collect();
        self.client().query(&statement, &values).await
    }

    /// Runs a statement once, unprepared, planned for its parameters.
    pub(crate) async fn query_once(
        &self,
        text: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.client().query_typed(text, params).await
    }

    /// Runs statements without parameters.
    pub(crate) async fn batch(&self, text: &str) -> Result<(), tokio_postgres::Error> {
        self.client().batch_execute(text).await
    }

    /// Begins a transaction without waiting for the answer. `BEGIN` is sent ahead of the next
    /// statement, and if the connection is lost, that statement fails too.
    pub(crate) fn begin(&self) {
        self.in_transaction.store(true, Ordering::Relaxed);
        self.send("BEGIN");
    }

    /// Sends statements without waiting for the answer.
    pub(crate) fn send(&self, text: &str) {
        let _ = self.client().batch_execute(text).now_or_never();
    }

    pub(crate) async fn commit(&self) -> Result<(), tokio_postgres::Error> {
        self.client().batch_execute("COMMIT").await?;
        self.in_transaction.store(false, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) async fn roll_back(&self) -> Result<(), tokio_postgres::Error> {
        self.client().batch_execute("ROLLBACK").await?;
        self.in_transaction.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether another caller may use the connection.
    pub(crate) fn is_usable(&self) -> bool {
        !self.client().is_closed() && !self.in_transaction.load(Ordering::Relaxed)
    }

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.client().is_closed()
    }
}
