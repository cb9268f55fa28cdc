//! Statements on the table, by dialect.

/// Statements of one dialect. All but `prune` take execution and lineage first.
pub(crate) struct Statements {
    /// Selects codec and data; also takes the operation.
    pub(crate) find: &'static str,
    /// Deletes an outcome row; also takes the operation.
    pub(crate) remove: &'static str,
    /// Raises the fence row; also takes the fence.
    pub(crate) raise_fence: &'static str,
    /// Inserts an outcome row; also takes operation, fence, codec and data.
    pub(crate) insert: &'static str,
    /// Deletes old rows; takes an age in seconds.
    pub(crate) prune: &'static str,
}

#[cfg(any(feature = "sqlx-postgres", feature = "tokio-postgres"))]
pub(crate) const POSTGRES: Statements = Statements {
    find: "SELECT codec, data FROM durable_transactions WHERE execution = $1 AND lineage = $2 AND operation = $3",
    remove: "DELETE FROM durable_transactions WHERE execution = $1 AND lineage = $2 AND operation = $3",
    raise_fence: "INSERT INTO durable_transactions AS t (execution, lineage, operation, fence) VALUES ($1, $2, '', $3) \
                  ON CONFLICT (execution, lineage, operation) DO UPDATE SET fence = excluded.fence, written_at = now() \
                  WHERE t.fence <= excluded.fence",
    insert: "INSERT INTO durable_transactions (execution, lineage, operation, fence, codec, data) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (execution, lineage, operation) DO NOTHING",
    prune: "DELETE FROM durable_transactions WHERE written_at < now() - make_interval(secs => $1)",
};

#[cfg(any(feature = "sqlx-sqlite", feature = "rusqlite"))]
pub(crate) const SQLITE: Statements = Statements {
    find: "SELECT codec, data FROM durable_transactions WHERE execution = ?1 AND lineage = ?2 AND operation = ?3",
    remove: "DELETE FROM durable_transactions WHERE execution = ?1 AND lineage = ?2 AND operation = ?3",
    raise_fence: "INSERT INTO durable_transactions (execution, lineage, operation, fence) VALUES (?1, ?2, '', ?3) \
                  ON CONFLICT (execution, lineage, operation) DO UPDATE SET fence = excluded.fence, \
                  written_at = unixepoch() WHERE durable_transactions.fence <= excluded.fence",
    insert: "INSERT INTO durable_transactions (execution, lineage, operation, fence, codec, data) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (execution, lineage, operation) DO NOTHING",
    prune: "DELETE FROM durable_transactions WHERE written_at < unixepoch() - ?1",
};

#[cfg(feature = "sqlx-mysql")]
pub(crate) const MYSQL: Statements = Statements {
    find: "SELECT codec, data FROM durable_transactions WHERE execution = ? AND lineage = ? AND operation = ?",
    remove: "DELETE FROM durable_transactions WHERE execution = ? AND lineage = ? AND operation = ?",
    raise_fence: "INSERT INTO durable_transactions (execution, lineage, operation, fence) VALUES (?, ?, '', ?) \
                  ON DUPLICATE KEY UPDATE fence = GREATEST(fence, VALUES(fence)), written_at = CURRENT_TIMESTAMP(3)",
    insert: "INSERT INTO durable_transactions (execution, lineage, operation, fence, codec, data) \
             VALUES (?, ?, ?, ?, ?, ?)",
    prune: "DELETE FROM durable_transactions WHERE written_at < CURRENT_TIMESTAMP(3) - INTERVAL ? SECOND",
};
