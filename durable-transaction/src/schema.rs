//! SQL of the table, by dialect.

/// Name of the table.
pub const TABLE: &str = "durable_transactions";

/// Creates the table in PostgreSQL, unless it exists. Run it as a migration, or call [`migrate`](crate::migrate()).
pub const POSTGRES: &str = include_str!("schema/postgres.sql");

/// Creates the table in MySQL or MariaDB, unless it exists. Run it as a migration, or call
/// [`migrate`](crate::migrate()).
pub const MYSQL: &str = include_str!("schema/mysql.sql");

/// Creates the table in SQLite, unless it exists. Run it as a migration, or call [`migrate`](crate::migrate()).
pub const SQLITE: &str = include_str!("schema/sqlite.sql");
