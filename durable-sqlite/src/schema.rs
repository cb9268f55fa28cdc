//! Schema versions and migrations.

use std::path::Path;

use durable_core::store::{StoreError, StoreErrorKind};
use rusqlite::Connection;

use crate::error::Fault;

/// Application id in the header of the database: "DRBL".
pub(crate) const APPLICATION_ID: i32 = 0x4452_424c;

/// Migrations: step `n` leads from version `n` to `n + 1`. Released steps never change.
pub(crate) static MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema2.sql"),
    include_str!("schema3.sql"),
    include_str!("schema4.sql"),
    include_str!("schema5.sql"),
    include_str!("schema6.sql"),
    include_str!("schema7.sql"),
    include_str!("schema8.sql"),
    include_str!("schema9.sql"),
    include_str!("schema10.sql"),
    include_str!("schema11.sql"),
];

/// Migrates the database to the newest version. Must run in a write transaction.
pub(crate) fn migrate(conn: &Connection, path: &Path, steps: &[&str]) -> Result<(), Fault> {
    let version = version(conn, path, steps.len())?;
    for step in &steps[version..] {
        conn.execute_batch(step)?;
    }
    if version < steps.len() {
        conn.pragma_update(None, "application_id", APPLICATION_ID)?;
        conn.pragma_update(None, "user_version", steps.len() as i64)?;
    }
    Ok(())
}

/// Returns the schema version of the database, or zero if it is empty.
pub(crate) fn version(conn: &Connection, path: &Path, newest: usize) -> Result<usize, Fault> {
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    if application == i64::from(APPLICATION_ID) {
        return match usize::try_from(version) {
            Ok(version) if version <= newest => Ok(version),
            _ => Err(too_new(path, version, newest).into()),
        };
    }
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if (application, version, tables) == (0, 0, 0) {
        return Ok(0);
    }
    Err(StoreError::new(
        StoreErrorKind::Unusable,
        format!(
            "`{}` is the SQLite database of another program (application id {application}, version {version}, \
             {tables} tables and indexes): give the path of a new file",
            path.display()
        ),
    )
    .into())
}

fn too_new(path: &Path, found: i64, newest: usize) -> StoreError {
    StoreError::new(
        StoreErrorKind::TooNew,
        format!(
            "`{}` was written by a newer release: its schema has version {found} and this release supports \
             versions up to {newest}. Run the newer release, or give the path of another file",
            path.display()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[&str] = &[
        "CREATE TABLE first (a)",
        "CREATE TABLE second (b)",
        "INSERT INTO second VALUES (7)",
    ];

    fn at(version: usize) -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        migrate(&conn, Path::new("x.db"), &STEPS[..version]).unwrap();
        conn
    }

    #[test]
    fn each_migration_step_runs_once_from_every_older_version() {
        for from in 0..=STEPS.len() {
            let conn = at(from);
            for _ in 0..2 {
                migrate(&conn, Path::new("x.db"), STEPS).unwrap();
                let rows = conn.query_row("SELECT count(*) FROM second", [], |row| row.get(0));
                assert_eq!(rows, Ok(1), "from version {from}");
            }
            assert_eq!(version(&conn, Path::new("x.db"), 3).ok(), Some(3));
        }
    }

    #[test]
    fn a_newer_version_is_refused_and_not_changed() {
        let conn = at(3);
        let error = migrate(&conn, Path::new("x.db"), &STEPS[..2]).unwrap_err();
        let error = error.at(Path::new("x.db"));
        assert_eq!(error.kind(), StoreErrorKind::TooNew);
        let text = error.to_string();
        assert!(
            text.contains("version 3") && text.contains("up to 2"),
            "{text}"
        );
        assert_eq!(version(&conn, Path::new("x.db"), 3).ok(), Some(3));
    }
}
