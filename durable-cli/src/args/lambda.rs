//! Arguments of `durable lambda`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// Arguments of `durable lambda`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Lambda {
    /// TOML file with one or more functions
    #[arg(long, value_name = "FILE", conflicts_with_all = ["command", "name", "env", "timeout", "execution_timeout", "plain"])]
    pub config: Option<PathBuf>,
    /// Name of the function [default: file name of its program]
    #[arg(long)]
    pub name: Option<String>,
    /// Environment variable of the function
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<(String, String)>,
    /// Timeout of one invocation, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u32>,
    /// Timeout of an execution, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub execution_timeout: Option<u32>,
    /// Run a function that is not durable: one invocation, no execution
    #[arg(long)]
    pub plain: bool,
    /// Address of the API [default: 127.0.0.1:9010]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Access key id that requests must be signed with; required unless the address is loopback
    #[arg(
        long,
        value_name = "KEY",
        env = "DURABLE_LAMBDA_ACCESS_KEY",
        hide_env_values = true
    )]
    pub access_key: Option<String>,
    /// Secret of the access key, with which signatures are verified
    #[arg(
        long,
        value_name = "KEY",
        env = "DURABLE_LAMBDA_SECRET_KEY",
        hide_env_values = true,
        requires = "access_key"
    )]
    pub secret_key: Option<String>,
    /// Region in ARNs [default: us-east-1]
    #[arg(long)]
    pub region: Option<String>,
    /// File that stores executions
    #[arg(long, value_name = "FILE", default_value = "durable-lambda.db")]
    pub state: PathBuf,
    /// Keep executions in memory
    #[arg(long, conflicts_with = "state")]
    pub ephemeral: bool,
    /// Run waits, retries and timeouts this many times faster than real time
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub time_scale: f64,
    /// Seconds that a client has to send the head of a request, and its body
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub request_timeout: u32,
    /// Folder for one log file per function
    #[arg(long, value_name = "FOLDER")]
    pub function_logs: Option<PathBuf>,
    /// Program of the function and its arguments
    #[arg(
        last = true,
        value_name = "COMMAND",
        required_unless_present = "config"
    )]
    pub command: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  durable lambda -- ./target/release/my-function
  durable lambda --time-scale 100 --env TABLE=orders -- ./target/release/my-function
  durable lambda --config functions.toml";

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("expected NAME=VALUE, found `{text}`")),
    }
}

/// Arguments of the hidden command that runs a function until the server ends.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// Process id of the server
    #[arg(long)]
    pub parent: u32,
    /// Program and arguments
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}
