//! What callers may give as a store.

use std::sync::Arc;

use super::{ExecutionStore, StoreError};
use crate::BoxFuture;

/// Opens the store of a run that names none.
pub type OpenStore = fn() -> BoxFuture<'static, Result<Arc<dyn ExecutionStore>, StoreError>>;

/// What can be given as a store.
pub trait IntoStore {
    /// The store, shared.
    fn into_store(self) -> Arc<dyn ExecutionStore>;
}

impl<T: ExecutionStore> IntoStore for T {
    fn into_store(self) -> Arc<dyn ExecutionStore> {
        Arc::new(self)
    }
}

impl<T: ExecutionStore> IntoStore for Arc<T> {
    fn into_store(self) -> Arc<dyn ExecutionStore> {
        self
    }
}

impl IntoStore for Arc<dyn ExecutionStore> {
    fn into_store(self) -> Arc<dyn ExecutionStore> {
        self
    }
}
