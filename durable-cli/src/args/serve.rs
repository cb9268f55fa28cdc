//! Arguments of `durable serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// Settings of the server.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Serve {
    /// Address to listen on [default: 127.0.0.1:8420]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// File with the token that requests must carry; needed for addresses other than loopback
    #[arg(long, value_name = "FILE", env = "DURABLE_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Seconds that a client has to send the head of a request, and its body
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub request_timeout: u32,
    /// Lock file with the names of the handlers, written by `names!`; graphs then also show what is ahead
    #[arg(long, value_name = "FILE")]
    pub names: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  durable serve --store sqlite:durable.db
  openssl rand -hex 32 > token && durable serve --listen 0.0.0.0:8420 --token-file token";
