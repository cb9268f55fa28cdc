//! `durable send`: sends a message to an execution.

use durable_core::Client;

use crate::args::SendArgs;
use crate::error::failed;
use crate::{CliError, store};

pub(crate) async fn run(url: &str, args: SendArgs) -> Result<String, CliError> {
    let client = Client::new(store::open(url).await?);
    let message = client.send(&args.execution, &args.name, &args.value);
    let message = match args.id {
        Some(id) => message.id(id),
        None => message,
    };
    message.await.map_err(failed)?;
    Ok("sent\n".to_owned())
}
