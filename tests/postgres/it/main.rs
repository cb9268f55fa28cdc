//! Tests of the PostgreSQL store on servers that are killed, filled, disconnected and promoted.

mod chaos;
mod claims;
mod command;
mod conformance;
mod cuts;
mod damage;
mod failover;
mod listing;
mod messages;
mod pair;
mod processes;
mod schema;
mod server_errors;
mod statements;
mod support;
mod tls;
mod transactions;
mod workers;
