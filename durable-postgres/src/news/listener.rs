//! The task that exchanges news with other processes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use durable_core::ExecutionId;
use tokio::time::{Instant, timeout_at};

use super::locked;
use crate::connection::{Conn, Connector, params};
use crate::error::Fault;
use crate::executions;
use crate::pool::Pool;
use crate::session::Session;

/// How often it is looked for changes of other processes where they do not tell.
const POLL: Duration = Duration::from_millis(250);
/// How often it is looked for them where they do: a process may die before it has told.
const SAFETY: Duration = Duration::from_secs(2);
/// How long a lost connection is left alone.
const PAUSE: Duration = Duration::from_millis(500);

/// Exchanges news until the task is aborted.
pub(crate) async fn attend(session: Arc<Session>, connector: Arc<Connector>, pool: Arc<Pool>) {
    if !connector.options().listen {
        return poll(&session, &pool).await;
    }
    // A process that ends at once needs no connection for this.
    let _ = timeout_at(Instant::now() + POLL, poll(&session, &pool)).await;
    loop {
        match listen(&session, &connector).await {
            Ok(conn) => {
                session.news.connected.store(true, Ordering::Relaxed);
                // Something may have happened while nobody listened.
                session.news.bump();
                let error = exchange(&session, &conn, &pool).await;
                session.news.connected.store(false, Ordering::Relaxed);
                tracing::debug!(?error, "other processes are not heard now, polling");
            }
            Err(error) => tracing::debug!(?error, "cannot listen to other processes, polling"),
        }
        let again = Instant::now() + PAUSE;
        let _ = timeout_at(again, poll(&session, &pool)).await;
    }
}

async fn listen(session: &Arc<Session>, connector: &Connector) -> Result<Conn, Fault> {
    let heard = Arc::clone(session);
    let own = Arc::new(std::sync::atomic::AtomicI32::new(0));
    let mine = Arc::clone(&own);
    let notified = Box::new(move |told: tokio_postgres::Notification| {
        if told.process_id() != mine.load(Ordering::Relaxed) {
            heard.news.hear(told.payload());
        }
    });
    let conn = connector.connect(Some(notified)).await?;
    let pid = conn.query_once("SELECT pg_backend_pid()", &[]).await?;
    if let Some(row) = pid.first() {
        own.store(row.try_get(0)?, Ordering::Relaxed);
    }
    let channel = &connector.options().schema;
    // Telling others is worth no flush of the log.
    conn.batch(&format!("SET synchronous_commit TO off; LISTEN {channel}"))
        .await?;
    Ok(conn)
}

/// Sends what there is to tell, until the connection fails.
async fn exchange(session: &Session, conn: &Conn, pool: &Arc<Pool>) -> Option<Fault> {
    let mut look = Instant::now() + SAFETY;
    loop {
        let filled = timeout_at(look, session.news.filled.notified()).await;
        let messages: Vec<_> = std::mem::take(&mut *locked(&session.news.outgoing))
            .into_iter()
            .collect();
        if conn.is_closed() {
            return None;
        }
        if !messages.is_empty()
            && let Err(fault) = send(conn, &messages).await
        {
            return Some(fault);
        }
        if filled.is_err() {
            look = Instant::now() + SAFETY;
            compare(session, pool).await;
        }
    }
}

/// Sends messages to other processes.
pub(crate) async fn send(conn: &Conn, messages: &[String]) -> Result<(), Fault> {
    let send = "SELECT count(pg_notify($1, message)) FROM unnest($2::text[]) AS message";
    let channel = conn.schema();
    conn.query(send, params![channel => TEXT, messages => TEXT_ARRAY])
        .await?;
    Ok(())
}

/// Looks for changes of other processes, for ever.
async fn poll(session: &Session, pool: &Arc<Pool>) {
    loop {
        tokio::time::sleep(POLL).await;
        locked(&session.news.outgoing).clear();
        if session.news.due.receiver_count() > 0 {
            session.news.bump();
        }
        compare(session, pool).await;
    }
}

/// Looks whether the executions have changed that somebody waits for.
async fn compare(session: &Session, pool: &Arc<Pool>) {
    let awaited = session.news.awaited();
    if awaited.is_empty() {
        return;
    }
    match changes(pool, &awaited).await {
        Ok(found) => {
            for (id, changes) in found {
                session.news.raise(&id, changes);
            }
        }
        Err(error) => tracing::debug!(?error, "changes by other processes cannot be looked for"),
    }
}

async fn changes(
    pool: &Arc<Pool>,
    ids: &[ExecutionId],
) -> Result<Vec<(ExecutionId, super::Changes)>, Fault> {
    let conn = pool.get().await?;
    let ids: Vec<_> = ids.iter().map(ExecutionId::as_str).collect();
    let select = "SELECT id, changes, status FROM @.executions WHERE id = ANY($1)";
    let rows = conn.query(select, params![ids => TEXT_ARRAY]).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let id: &str = row.try_get(0)?;
        if let Ok(id) = id.parse() {
            found.push((id, executions::changes(&row, 1)?));
        }
    }
    Ok(found)
}
