//! Tables, their version, and migrations from older versions.

use durable_core::store::{Durability, StoreError, StoreErrorKind};

use crate::connection::{Conn, OwnConn, params};
use crate::database::{Database, Retries};
use crate::driver::SqlError;
use crate::error::{Fault, unusable};

/// Migration `n` leads from version `n` to `n + 1`. Released migrations never change.
pub(crate) static MIGRATIONS: &[&str] = &[
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
];

/// What opening a store finds out about its database.
pub(crate) struct Prepared {
    /// What acknowledged checkpoints survive.
    pub(crate) durability: Durability,
    /// `None` if the tables have no id and this role may not give them one.
    pub(crate) identity: Option<Identity>,
}

/// Tells the tables of a store from those of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Random id in the table `settings`.
    pub(crate) store: String,
    /// Name of the database. A copy of the tables in another database has the same id.
    pub(crate) database: String,
}

/// Migrates the schema to the newest version.
pub(crate) async fn prepare(database: &Database) -> Result<Prepared, StoreError> {
    let mut retries = Retries::new();
    loop {
        match attempt(database).await {
            Ok(prepared) => return Ok(prepared),
            Err(fault) => retries.failed(fault, database).await?,
        }
    }
}

async fn attempt(database: &Database) -> Result<Prepared, Fault> {
    let conn = database.pool.get().await?;
    let location = &database.session.location;
    let found = version(&conn).await?;
    if found.is_none() && !database.connector.options().create {
        let what = "the tables do not exist, and `create=false` does not create them";
        return Err(unusable(location, what).into());
    }
    if found != Some(MIGRATIONS.len()) {
        migrate(&conn, location, MIGRATIONS).await?;
    }
    let identity = match identity(&conn).await {
        Err(fault) if fault.lost_connection() => return Err(fault),
        found => found.unwrap_or_else(|fault| {
            tracing::debug!(?fault, "the tables have no id");
            None
        }),
    };
    let durability = durability(&conn).await?;
    Ok(Prepared {
        durability,
        identity,
    })
}

/// Identity of the tables, which get an id if they have none.
async fn identity(conn: &Conn<'_>) -> Result<Option<Identity>, Fault> {
    if let Some(known) = known_identity(conn).await? {
        return Ok(Some(known));
    }
    let insert = conn.qualified(
        "INSERT INTO @.settings (name, value) VALUES ('store', $1) ON CONFLICT (name) DO NOTHING",
    );
    let id = format!("{:032x}", fastrand::u128(..));
    conn.query_once(&insert, params![id => TEXT]).await?;
    known_identity(conn).await
}

async fn known_identity(conn: &Conn<'_>) -> Result<Option<Identity>, Fault> {
    let select = conn
        .qualified("SELECT value, current_database()::text FROM @.settings WHERE name = 'store'");
    let rows = conn.query_once(&select, &[]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Identity {
        store: row.try_get(0)?,
        database: row.try_get(1)?,
    }))
}

/// Version of the tables; `None` if there are none, or none that this role may see.
async fn version(conn: &Conn<'_>) -> Result<Option<usize>, Fault> {
    let select = conn.qualified("SELECT value FROM @.settings WHERE name = 'version'");
    match conn.query_once(&select, &[]).await {
        Ok(rows) => {
            let text = rows
                .first()
                .map(|row| row.try_get::<String>(0))
                .transpose()?;
            Ok(text.and_then(|text| text.parse().ok()))
        }
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the table or its schema does not exist.
fn is_missing(error: &SqlError) -> bool {
    matches!(error.code(), Some("42P01" | "3F000"))
}

/// Runs the missing migrations. The row of the version is locked, so that one of several processes
/// migrates and the others find the result.
pub(crate) async fn migrate(conn: &OwnConn, location: &str, steps: &[&str]) -> Result<(), Fault> {
    create(conn).await?;
    conn.begin();
    let done = run_migrations(conn, location, steps).await;
    match &done {
        Ok(()) => conn.commit().await?,
        Err(fault) if !fault.lost_connection() => conn.roll_back().await?,
        Err(_) => {}
    }
    done
}

/// Creates the schema and the table of the version if they are missing.
async fn create(conn: &OwnConn) -> Result<(), Fault> {
    let schema = conn.schema();
    let known = conn
        .query_once(
            "SELECT 1 FROM pg_namespace WHERE nspname = $1",
            params![schema => TEXT],
        )
        .await?;
    if known.is_empty() {
        conn.batch(&format!("CREATE SCHEMA IF NOT EXISTS {schema}"))
            .await?;
    }
    let table = conn.qualified(
        "CREATE TABLE IF NOT EXISTS @.settings (name text PRIMARY KEY, value text NOT NULL); \
         INSERT INTO @.settings (name, value) VALUES ('version', '0') ON CONFLICT (name) DO NOTHING",
    );
    conn.batch(&table).await?;
    Ok(())
}

async fn run_migrations(conn: &OwnConn, location: &str, steps: &[&str]) -> Result<(), Fault> {
    let select = conn.qualified("SELECT value FROM @.settings WHERE name = 'version' FOR UPDATE");
    let rows = conn.query_once(&select, &[]).await?;
    let found: String = match rows.first() {
        Some(row) => row.try_get(0)?,
        None => {
            return Err(unusable(
                &location,
                "the version is missing from its table `settings`",
            )
            .into());
        }
    };
    let version = match found.parse::<usize>() {
        Ok(version) if version <= steps.len() => version,
        _ => return Err(too_new(location, &found, steps.len()).into()),
    };
    for step in &steps[version..] {
        conn.batch(&conn.qualified(step)).await?;
    }
    let update = conn.qualified("UPDATE @.settings SET value = $1 WHERE name = 'version'");
    let newest = steps.len().to_string();
    conn.query_once(&update, params![newest => TEXT]).await?;
    Ok(())
}

pub(crate) fn too_new(location: &str, found: &str, newest: usize) -> StoreError {
    StoreError::new(
        StoreErrorKind::TooNew,
        format!(
            "PostgreSQL at {location}: the tables were made by a newer release: they are version {found} and this release \
             knows versions up to {newest}. Run the newer release, or name another schema in the URL"
        ),
    )
}

/// What a commit survives with the settings of the server.
async fn durability(conn: &Conn<'_>) -> Result<Durability, Fault> {
    let select = "SELECT coalesce(current_setting('fsync', true), 'on'), coalesce(current_setting('synchronous_commit', \
                  true), 'on')";
    let rows = conn.query_once(select, &[]).await?;
    let Some(row) = rows.first() else {
        return Ok(Durability::Power);
    };
    let (fsync, synchronous): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
    if fsync == "off" || synchronous == "off" {
        tracing::warn!(
            fsync,
            synchronous_commit = synchronous,
            "the last checkpoints can be lost when the server crashes: turn both settings on"
        );
        return Ok(Durability::Process);
    }
    Ok(Durability::Power)
}
