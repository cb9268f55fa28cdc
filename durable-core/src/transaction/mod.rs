//! Steps whose body and outcome commit in one transaction of the application's database.
//!
//! `step!("charge", tx = &app.pool, |tx| charge(tx, cents).await)` runs its body in a transaction of `app.pool`. The same
//! transaction inserts a row with the outcome. If the process ends before the outcome is recorded in the checkpoint
//! store, the row answers, and the body does not run again. The checkpoint store may be any one, because it takes no part.
//!
//! The crate `durable-transaction` implements the traits of this module for drivers. Implement [`Transactional`] and
//! [`Transaction`] to use another one.
//!
//! # How a step uses the traits
//!
//! | moment | calls |
//! |---|---|
//! | before the body, if an earlier attempt may have committed | [`Transactional::find`] |
//! | before the body | [`Transactional::begin`], [`Transaction::handle`] |
//! | after the body | [`Transaction::raise_fence`], [`Transaction::insert`], [`Transaction::commit`] |
//! | the body failed, the fence is stale, or the row exists | [`Transaction::roll_back`] |
//! | the outcome is in the checkpoint store | [`Transactional::remove`] |
//!
//! # Rows
//!
//! An *outcome row* is identified by [`Key::execution`], [`Key::lineage`] and [`Key::operation`], which must be a unique
//! key of the table. A *fence row* has the same execution and lineage, and an empty operation; it holds the highest
//! fence that has committed. Both may be in one table.

mod error;
mod key;
mod outcome;

pub use error::TransactionError;
pub use key::Key;
pub(crate) use key::Lineage;
pub use outcome::RecordedOutcome;

/// Database whose transactions a `step!` can use: what the option `tx` refers to.
///
/// `Driver` is a type of the crate that implements the trait. It makes implementations for types of other crates possible, and
/// can be left out for the implementor's own types.
///
/// # Contract
///
/// * Dropping any of the futures, or a transaction, rolls back what was not committed.
/// * [`insert`](Transaction::insert) and [`raise_fence`](Transaction::raise_fence) of two transactions with the same key do
///   not both succeed unless one has committed before the other looks: the later one waits for the earlier one.
/// * [`find`](Self::find) sees every committed row.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a database that `tx` can use",
    label = "this type does not implement `durable::transaction::Transactional`",
    note = "enable the feature of its driver in `durable`: `sqlx-postgres`, `sqlx-mysql`, `sqlx-sqlite`, `tokio-postgres` or \
            `rusqlite`; or implement the trait for it"
)]
pub trait Transactional<Driver = ()>: Send + Sync {
    /// Open transaction.
    type Transaction: Transaction;

    /// Begins a transaction.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    fn begin(&self) -> impl Future<Output = Result<Self::Transaction, TransactionError>> + Send;

    /// Reads the outcome row of `key`, outside of any transaction.
    ///
    /// # Errors
    ///
    /// Errors of the database; [`TransactionError::missing_table`] if there is no such table.
    fn find(
        &self,
        key: &Key,
    ) -> impl Future<Output = Result<Option<RecordedOutcome>, TransactionError>> + Send;

    /// Removes the outcome row of `key`, in a transaction of its own. The fence row stays.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    fn remove(&self, key: &Key) -> impl Future<Output = Result<(), TransactionError>> + Send;
}

/// Open transaction of a [`Transactional`] database. Dropping it rolls back.
pub trait Transaction: Send {
    /// What the body of a step gets: the connection with the open transaction.
    type Handle<'t>: Send
    where
        Self: 't;

    /// Returns the handle for the body.
    fn handle(&mut self) -> Self::Handle<'_>;

    /// Sets the fence row of `key` to `fence`, unless it is higher already. Returns whether it is not.
    ///
    /// # Errors
    ///
    /// Errors of the database; [`TransactionError::missing_table`] if there is no such table.
    fn raise_fence(
        &mut self,
        key: &Key,
        fence: i64,
    ) -> impl Future<Output = Result<bool, TransactionError>> + Send;

    /// Inserts the outcome row of `key`. Returns false if it exists.
    ///
    /// # Errors
    ///
    /// Errors of the database; [`TransactionError::missing_table`] if there is no such table.
    fn insert(
        &mut self,
        key: &Key,
        outcome: &RecordedOutcome,
    ) -> impl Future<Output = Result<bool, TransactionError>> + Send;

    /// Commits.
    ///
    /// # Errors
    ///
    /// Errors of the database. Whether it has committed is then unknown.
    fn commit(self) -> impl Future<Output = Result<(), TransactionError>> + Send;

    /// Rolls back.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    fn roll_back(self) -> impl Future<Output = Result<(), TransactionError>> + Send;
}
