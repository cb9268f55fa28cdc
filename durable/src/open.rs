//! Stores by URL.

use std::sync::Arc;

use durable_core::store::{MemoryStore, Store, StoreError, StoreErrorKind};

/// Where checkpoints are kept when nobody says where.
const DEFAULT_STORE: &str = "sqlite:durable.db";

/// Opens the store that `url` names.
///
/// | URL | store |
/// |---|---|
/// | `sqlite:PATH` | one SQLite file, made when it is not there (feature `sqlite`) |
/// | `postgres://USER@HOST/DATABASE` | a schema in a PostgreSQL database, made when it is not there (feature `postgres`) |
/// | `memory:` | gone with the process |
///
/// ```
/// # async fn f() -> Result<(), durable::store::StoreError> {
/// let store = durable::open("memory:").await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`StoreErrorKind::Unusable`] for a URL that names no store; else what opening the store says.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Arc::new(MemoryStore::new())),
        #[cfg(feature = "sqlite")]
        Some(("sqlite", path)) if !path.is_empty() => {
            Ok(Arc::new(durable_sqlite::SqliteStore::open(path).await?))
        }
        #[cfg(feature = "postgres")]
        Some(("postgres" | "postgresql", _)) => Ok(Arc::new(
            durable_postgres::PostgresStore::connect(url).await?,
        )),
        // A URL of a server may hold a password.
        #[cfg(not(feature = "postgres"))]
        Some(("postgres" | "postgresql", _)) => Err(StoreError::new(
            StoreErrorKind::Unusable,
            "a store in PostgreSQL needs the feature `postgres` of the crate `durable`",
        )),
        _ => Err(StoreError::new(
            StoreErrorKind::Unusable,
            format!(
                "{url:?} names no store: write `sqlite:PATH`, `postgres://USER@HOST/DATABASE` or `memory:`"
            ),
        )),
    }
}

/// The store of a run that names none.
pub(crate) async fn default_store() -> Result<Arc<dyn Store>, StoreError> {
    match std::env::var("DURABLE_STORE") {
        Ok(url) => open(&url).await,
        Err(std::env::VarError::NotPresent) => open(DEFAULT_STORE).await,
        Err(error @ std::env::VarError::NotUnicode(_)) => Err(StoreError::new(
            StoreErrorKind::Unusable,
            format!("the environment variable DURABLE_STORE is no text: {error}"),
        )),
    }
}
