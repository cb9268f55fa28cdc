//! `durable fork`: starts an execution with the history of another one.

use durable_core::store::Started;
use durable_core::{Client, Payload};

use crate::args::Fork;
use crate::json::{StartResult, print_json};
use crate::store::find;
use crate::{CliError, store};

pub(crate) async fn run(url: &str, args: Fork) -> Result<String, CliError> {
    let store = store::open(url).await?;
    find(&*store, url, &args.id).await?;
    let mut fork = Client::new(store).fork(&args.id, args.new_id.as_str());
    if let Some(input) = &args.input {
        fork = fork.encoded_input(Payload::json(serde_json::to_vec(input)?));
    }
    fork = match (args.before, args.after) {
        (Some(before), _) => fork.before(before),
        (None, Some(after)) => fork.after(after),
        (None, None) => fork,
    };
    let started = fork.await;
    let started = started.map_err(|error| CliError::Store(error.into()))?;
    let (execution, new) = match started {
        Started::Created(execution) => (execution, true),
        Started::Existing(execution) => (execution, false),
    };
    let id = &execution.id;
    if args.json {
        return print_json(&StartResult::new(id, new, None));
    }
    let taken = execution.forked_from.map_or(0, |origin| origin.records);
    Ok(match new {
        true => format!("started {id} with {taken} operations of {}\n", args.id),
        false => format!("{id} was forked before\n"),
    })
}
