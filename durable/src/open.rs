//! Stores by URL.

use std::sync::Arc;

use durable_core::store::{MemoryStore, Store, StoreError, StoreErrorKind};

/// Store of a run for which none is configured.
const DEFAULT_STORE: &str = "sqlite:durable.db";

/// Opens the store at `url`.
///
/// | URL | store |
/// |---|---|
/// | `sqlite:PATH` | a SQLite file, created if it does not exist (feature `sqlite`) |
/// | `postgres://USER@HOST/DATABASE` | a schema of a PostgreSQL database, created if it does not exist (feature `postgres`) |
/// | `memory:` | memory of this process, for tests |
///
/// ```
/// # async fn f() -> Result<(), durable::store::StoreError> {
/// let store = durable::open("memory:").await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`StoreErrorKind::Unusable`] for an invalid URL or a missing feature. Otherwise the error of opening the store.
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
        // The message leaves out the URL, which may contain a password.
        #[cfg(not(feature = "postgres"))]
        Some(("postgres" | "postgresql", _)) => Err(StoreError::new(
            StoreErrorKind::Unusable,
            "PostgreSQL stores need the feature `postgres` of the package `durably`: add it to `Cargo.toml`",
        )),
        _ => Err(StoreError::new(
            StoreErrorKind::Unusable,
            format!(
                "invalid store URL {url:?}: write `sqlite:PATH`, `postgres://USER@HOST/DATABASE` or `memory:`"
            ),
        )),
    }
}

/// Opens the store of a run for which none is configured.
pub(crate) async fn default_store() -> Result<Arc<dyn Store>, StoreError> {
    match std::env::var("DURABLE_STORE") {
        Ok(url) => open(&url).await,
        Err(std::env::VarError::NotPresent) => open(DEFAULT_STORE).await,
        Err(error @ std::env::VarError::NotUnicode(_)) => Err(StoreError::new(
            StoreErrorKind::Unusable,
            format!("the environment variable DURABLE_STORE is not valid Unicode: {error}"),
        )),
    }
}
