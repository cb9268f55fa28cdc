//! The task that exchanges notifications with other processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use durable_core::ExecutionId;
use durable_core::store::notifier::Changes;
use tokio::time::{Instant, timeout_at};

use super::locked;
use crate::connection::{Conn, Connector, OwnConn, params};
use crate::error::Fault;
use crate::executions;
use crate::pool::Pool;
use crate::session::Session;

/// How often to poll while notifications are not received.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How often to poll while they are: a process may die between its commit and its notification.
const SAFETY_POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Pause before a lost connection is replaced.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// Exchanges notifications until the task is aborted.
pub(crate) async fn exchange(session: Arc<Session>, connector: Arc<Connector>, pool: Arc<Pool>) {
    if !connector.options().listen {
        return poll(&session, &pool).await;
    }
    // Saves short-lived processes the connection.
    let _ = timeout_at(Instant::now() + POLL_INTERVAL, poll(&session, &pool)).await;
    loop {
        match listen(&session, &connector).await {
            Ok(conn) => {
                session.notifier.connected.store(true, Ordering::Relaxed);
                // Notifications sent before the `LISTEN` were missed.
                session.notifier.process.notify_due();
                let error = send_outgoing(&session, &conn, &pool).await;
                session.notifier.connected.store(false, Ordering::Relaxed);
                tracing::debug!(?error, "the connection for notifications was lost, polling");
            }
            Err(error) => tracing::debug!(?error, "cannot listen for notifications, polling"),
        }
        let reconnect_at = Instant::now() + RECONNECT_DELAY;
        let _ = timeout_at(reconnect_at, poll(&session, &pool)).await;
    }
}

/// Opens a connection that receives the notifications of other processes.
async fn listen(session: &Arc<Session>, connector: &Connector) -> Result<OwnConn, Fault> {
    let receiver = Arc::clone(session);
    let own_pid = Arc::new(AtomicI32::new(0));
    let ignored_pid = Arc::clone(&own_pid);
    let on_notification = Box::new(move |notification: tokio_postgres::Notification| {
        if notification.process_id() != ignored_pid.load(Ordering::Relaxed) {
            receiver.notifier.receive(notification.payload());
        }
    });
    let conn = connector.connect(Some(on_notification)).await?;
    let pid = conn.query_once("SELECT pg_backend_pid()", &[]).await?;
    if let Some(row) = pid.first() {
        own_pid.store(row.try_get(0)?, Ordering::Relaxed);
    }
    let channel = &connector.options().schema;
    // A notification need not survive a crash, so it need not wait for a flush of the log.
    conn.batch(&format!("SET synchronous_commit TO off; LISTEN {channel}"))
        .await?;
    Ok(conn)
}

/// Sends outgoing messages until the connection fails.
async fn send_outgoing(session: &Session, conn: &OwnConn, pool: &Arc<Pool>) -> Option<Fault> {
    let mut poll_at = Instant::now() + SAFETY_POLL_INTERVAL;
    loop {
        let filled = timeout_at(poll_at, session.notifier.filled.notified()).await;
        let messages: Vec<_> = std::mem::take(&mut *locked(&session.notifier.outgoing))
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
            poll_at = Instant::now() + SAFETY_POLL_INTERVAL;
            poll_awaited(session, pool).await;
        }
    }
}

/// Sends messages to other processes.
pub(crate) async fn send(conn: &Conn<'_>, messages: &[String]) -> Result<(), Fault> {
    let send = "SELECT count(pg_notify($1, message)) FROM unnest($2::text[]) AS message";
    let channel = conn.schema();
    conn.query(send, params![channel => TEXT, messages => TEXT_ARRAY])
        .await?;
    Ok(())
}

/// Polls for changes by other processes, without end.
async fn poll(session: &Session, pool: &Arc<Pool>) {
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        locked(&session.notifier.outgoing).clear();
        if session.notifier.process.is_due_awaited() {
            session.notifier.process.notify_due();
        }
        poll_awaited(session, pool).await;
    }
}

/// Reads the changes of the executions that have subscribers, and notifies the subscribers.
async fn poll_awaited(session: &Session, pool: &Arc<Pool>) {
    let awaited = session.notifier.process.awaited();
    if awaited.is_empty() {
        return;
    }
    match read_changes(pool, &awaited).await {
        Ok(found) => {
            for (id, changes) in found {
                session.notifier.process.notify(&id, changes);
            }
        }
        Err(error) => tracing::debug!(?error, "cannot poll for changes by other processes"),
    }
}

async fn read_changes(
    pool: &Arc<Pool>,
    ids: &[ExecutionId],
) -> Result<Vec<(ExecutionId, Changes)>, Fault> {
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
