//! Units of work inside a transaction of the caller.

use std::fmt;

use durable_core::store::{StoreError, StoreErrorKind};

use super::caller::Caller;
#[cfg(feature = "sqlx")]
use super::nested;
use super::savepoint::Savepoint;
use crate::connection::Conn;
use crate::database::{Attempt, Database, Work};
use crate::error::Fault;
use crate::notifier::{Events, send};
use crate::schema::{Identity, MIGRATIONS, too_new};

/// SQLSTATE of a statement in a transaction that an earlier error aborted.
const ABORTED: &str = "25P02";

/// Makes calls in a transaction of the caller, one at a time: their savepoints have the same name.
pub(super) struct Calls<'t> {
    caller: Caller<'t>,
    /// Whether the transaction is known to be on the database of the store.
    verified: bool,
}

impl<'t> Calls<'t> {
    pub(super) fn new(caller: Caller<'t>) -> Self {
        Self {
            caller,
            verified: false,
        }
    }

    /// Runs `work` in the transaction.
    pub(super) async fn run<W: Work>(
        &mut self,
        database: &Database,
        work: W,
    ) -> Result<W::Answer, StoreError> {
        let location = &database.session.location;
        let verified = self.verified;
        let done = match &mut self.caller {
            Caller::Tokio(client) => {
                let conn = database.connector.callers(client);
                let mut savepoint = Savepoint::set(client);
                let done = attempt(&conn, database, &work, verified).await;
                match &done {
                    Ok(_) => savepoint.release(),
                    Err(fault) if has_code(fault, ABORTED) => savepoint.forget(),
                    Err(_) => {}
                }
                done
            }
            #[cfg(feature = "sqlx")]
            Caller::Sqlx(connection) => within_sqlx(connection, database, &work, verified).await,
        };
        self.verified |= done.is_ok();
        done.map_err(|fault| explain(fault, location))
    }
}

#[cfg(feature = "sqlx")]
async fn within_sqlx<W: Work>(
    connection: &mut sqlx::PgConnection,
    database: &Database,
    work: &W,
    verified: bool,
) -> Result<W::Answer, Fault> {
    use crate::driver::SqlError;

    if !sqlx::Connection::is_in_transaction(connection) {
        let what =
            "the connection is not in a transaction: begin one with sqlx (`begin`) and pass it";
        return Err(unusable_transaction(&database.session.location, what).into());
    }
    let mut savepoint = nested::begin(connection).await.map_err(SqlError::from)?;
    let conn = database.connector.callers_sqlx(&mut savepoint);
    let answer = attempt(&conn, database, work, verified).await?;
    drop(conn);
    savepoint.commit().await.map_err(SqlError::from)?;
    Ok(answer)
}

/// Runs `work` on a connection that is in the transaction.
async fn attempt<W: Work>(
    conn: &Conn<'_>,
    database: &Database,
    work: &W,
    verified: bool,
) -> Result<W::Answer, Fault> {
    if !verified {
        verify(conn, database).await?;
    }
    let mut attempt = Attempt {
        session: &database.session,
        events: Events::default(),
        unsure: false,
    };
    let answer = work.run(conn, &mut attempt).await?;
    let messages = attempt.events.into_messages();
    if !messages.is_empty() && database.connector.options().listen {
        // They are delivered when the transaction commits, to this process too.
        send(conn, &messages).await?;
    }
    Ok(answer)
}

/// Checks that the transaction is on the tables of the store, that they are of this release, and that it may write.
async fn verify(conn: &Conn<'_>, database: &Database) -> Result<(), Fault> {
    let location = &database.session.location;
    let refuse = |what: &str| Err(Fault::from(unusable_transaction(location, what)));
    let Some(identity) = &database.session.identity else {
        return refuse(
            "the tables have no id to recognise them by: open the store once with a role that may insert into `settings`",
        );
    };
    let select = "SELECT current_database()::text, current_setting('transaction_read_only'), (SELECT value FROM @.settings WHERE \
                  name = 'store'), (SELECT value FROM @.settings WHERE name = 'version')";
    let rows = conn.query(select, &[]).await?;
    let Some(row) = rows.first() else {
        return refuse("its settings cannot be read");
    };
    let found = Identity {
        database: row.try_get(0)?,
        store: row.try_get::<Option<_>>(2)?.unwrap_or_default(),
    };
    if found != *identity {
        let Identity { database, .. } = found;
        let text = format!(
            "it is on database `{database}`, where the schema `{}` is missing or belongs to another store: open the store \
             and the transaction on the same database",
            conn.schema()
        );
        return refuse(&text);
    }
    let version: String = row.try_get::<Option<_>>(3)?.unwrap_or_default();
    let known = MIGRATIONS.len();
    match version.parse::<usize>() {
        Ok(version) if version == known => {}
        Ok(version) if version < known => {
            let text = format!(
                "the tables are version {version} and this release needs {known}: open the store again, which migrates them"
            );
            return refuse(&text);
        }
        _ => return Err(too_new(location, &version, known).into()),
    }
    if row.try_get::<&str>(1)? == "on" {
        return refuse("it is read-only, or its server is a standby: begin one that may write");
    }
    Ok(())
}

fn unusable_transaction(location: &dyn fmt::Display, what: &str) -> StoreError {
    let message = format!("cannot use the transaction for the store {location}: {what}");
    StoreError::new(StoreErrorKind::Unusable, message)
}

/// Error for a client whose store is of another kind.
pub(super) fn foreign_store() -> StoreError {
    StoreError::new(
        StoreErrorKind::Unusable,
        "the client's store is not on PostgreSQL, so it cannot write in a transaction of PostgreSQL: create the client from \
         a `PostgresStore`, or from `durable::open` with a `postgres://` URL",
    )
}

fn has_code(fault: &Fault, code: &str) -> bool {
    matches!(fault, Fault::Sql(error) if error.code() == Some(code))
}

/// Converts a fault to an error that says what to do with the transaction.
fn explain(fault: Fault, location: &str) -> StoreError {
    let Fault::Sql(error) = fault else {
        return fault.at(&location);
    };
    let what = match error.code() {
        Some(ABORTED) => "an earlier error aborted it: roll it back and begin another one",
        Some("42P01" | "3F000") => {
            "its database has no tables of the store: open the store and the transaction on the same database"
        }
        Some("40001" | "40P01") => {
            let message = format!(
                "a concurrent transaction interfered at the store {location}: roll the transaction back and run it again"
            );
            let error = error.into_inner();
            return StoreError::new(StoreErrorKind::Unavailable, message).with_source(error);
        }
        _ => return Fault::from(error).at(&location),
    };
    unusable_transaction(&location, what).with_source(error.into_inner())
}
