//! `durable serve`.

use std::sync::Arc;
use std::time::Duration;

use durable_core::Client;
use durable_server::{Access, Options, ServeError, Server, Token};

use super::signal::shutdown;
use crate::args::Serve;
use crate::check::read_lock;
use crate::{CliError, store};

/// Answers requests until the process is asked to stop.
pub(crate) async fn run(
    url: &str,
    args: &Serve,
    print: &mut dyn FnMut(&str) -> bool,
) -> Result<(), CliError> {
    let mut options = Options {
        request_timeout: Duration::from_secs(args.request_timeout.into()),
        ..Options::default()
    };
    if let Some(file) = &args.token_file {
        let token = Token::from_file(file);
        let token = token.map_err(|error| CliError::Usage(error.to_string()))?;
        options.access = Access::Token(token);
    }
    if let Some(file) = &args.names {
        options.names = Some(Arc::new(read_lock(file)?));
    }
    let client = Client::new(store::open(url).await?);
    let address = args.listen.unwrap_or(Server::ADDRESS);
    let server = Server::bind(client, options, address).await;
    let server = server.map_err(|error| failed(&error))?;
    let stop = shutdown();
    print(&format!("{}\n", server.url()));
    server.run(stop).await;
    Ok(())
}

fn failed(error: &ServeError) -> CliError {
    let text = error.to_string();
    match error {
        ServeError::Open(_) => CliError::Usage(text + " (--token-file FILE)"),
        _ => CliError::Serve(text + "; choose another with --listen"),
    }
}
