//! Steps in a transaction on real databases.

mod bank;
mod cases;
mod handlers;
mod kill;
mod mysql;
mod postgres;
mod probe;
mod sqlite;
