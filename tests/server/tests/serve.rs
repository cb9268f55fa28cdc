//! `durable serve` as a process, on a real SQLite file with a real worker, over real sockets.

#[path = "serve/api.rs"]
mod api;
#[path = "serve/browser.rs"]
mod browser;
mod client;
#[path = "serve/document.rs"]
mod document;
#[path = "serve/forks.rs"]
mod forks;
#[path = "serve/graph.rs"]
mod graph;
#[path = "serve/hostile.rs"]
mod hostile;
#[path = "serve/listing.rs"]
mod listing;
#[path = "serve/live.rs"]
mod live;
#[path = "serve/messages.rs"]
mod messages;
#[path = "serve/pages.rs"]
mod pages;
#[path = "serve/published.rs"]
mod published;
#[path = "serve/security.rs"]
mod security;
#[path = "serve/server.rs"]
mod server;
#[path = "serve/settings.rs"]
mod settings;
#[path = "serve/tools.rs"]
mod tools;
