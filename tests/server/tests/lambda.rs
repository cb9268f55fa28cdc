//! Tests of `durable lambda` as a process, with real functions and real sockets.

#[path = "lambda/api.rs"]
mod api;
#[path = "lambda/aws.rs"]
mod aws;
mod client;
#[path = "lambda/functions.rs"]
mod functions;
#[path = "lambda/kill.rs"]
mod kill;
#[path = "lambda/page.rs"]
mod page;
#[path = "lambda/security.rs"]
mod security;
#[path = "lambda/server.rs"]
mod server;
#[path = "lambda/throughput.rs"]
mod throughput;
