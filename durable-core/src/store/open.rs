//! Conversions into a shared store.

use std::sync::Arc;

use super::{Store, StoreError};
use crate::BoxFuture;

/// Function that opens the default store, for runs that are not given one.
pub type OpenStore = fn() -> BoxFuture<'static, Result<Arc<dyn Store>, StoreError>>;

/// Types that can be passed as a store: a store, or an `Arc` of one.
pub trait IntoStore {
    /// Converts into a shared store.
    fn into_store(self) -> Arc<dyn Store>;
}

impl<T: Store> IntoStore for T {
    fn into_store(self) -> Arc<dyn Store> {
        Arc::new(self)
    }
}

impl<T: Store> IntoStore for Arc<T> {
    fn into_store(self) -> Arc<dyn Store> {
        self
    }
}

impl IntoStore for Arc<dyn Store> {
    fn into_store(self) -> Arc<dyn Store> {
        self
    }
}
