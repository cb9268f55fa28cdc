//! The store on PostgreSQL, on servers that are killed, filled, cut off and promoted.

mod chaos;
mod claims;
mod command;
mod conformance;
mod cuts;
mod damage;
mod failover;
mod listing;
mod refusals;
mod schema;
mod statements;
mod support;
mod workers;
