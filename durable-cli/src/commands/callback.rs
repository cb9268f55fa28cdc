//! `durable callback`: completes, fails or keeps alive a callback.

use durable_core::Client;

use crate::args::Callback;
use crate::error::failed;
use crate::{CliError, store};

pub(crate) async fn run(url: &str, args: Callback) -> Result<String, CliError> {
    let client = Client::new(store::open(url).await?);
    let (done, word) = match &args {
        Callback::Complete { id, value } => (client.complete(id, value).await, "completed"),
        Callback::Fail { id, message } => (client.fail(id, message.clone()).await, "failed"),
        Callback::Heartbeat { id } => (client.heartbeat(id).await, "kept alive"),
    };
    done.map_err(failed)?;
    Ok(format!("{word}\n"))
}
