//! From what was asked for to the text that answers it.

use durable_core::ExecutionId;
use durable_core::store::{Execution, ExecutionStore, Filter, StoreError, StoreErrorKind};
use serde::Serialize;

use crate::args::{Cli, Command, Ls, Show};
use crate::json::{Executions, History};
use crate::render::{self, Style};
use crate::{CliError, check, graph, store};

/// Answers the command line.
///
/// # Errors
///
/// When there is no such store or execution, or the store cannot be read.
pub async fn run(cli: Cli, style: Style) -> Result<String, CliError> {
    match cli.command {
        Command::Ls(asked) => ls(&cli.store, asked, style).await,
        Command::Show(asked) => show(&cli.store, asked, style).await,
        Command::Check(asked) => check::run(&cli.store, &asked, style).await,
        Command::Graph(asked) => graph::run(&cli.store, &asked).await,
    }
}

async fn ls(url: &str, asked: Ls, style: Style) -> Result<String, CliError> {
    let store = store::open(url).await?;
    let limit = asked.limit as usize;
    let filter = Filter {
        status: asked.status,
        handler: asked.handler,
        after: None,
        // One more than is shown tells whether there are more.
        limit: limit + 1,
        ..Filter::default()
    };
    let mut executions = store.list(filter).await.map_err(failed)?;
    let more = executions.len() > limit;
    executions.truncate(limit);
    match asked.json {
        true => print_json(&Executions::new(&executions, more)),
        false => Ok(render::ls(&executions, more, style)),
    }
}

async fn show(url: &str, asked: Show, style: Style) -> Result<String, CliError> {
    let store = store::open(url).await?;
    let execution = found(&*store, url, &asked.id).await?;
    let records = store.history(&asked.id).await.map_err(failed)?;
    match asked.json {
        true => print_json(&History::new(&execution, &records, asked.full)),
        false => Ok(render::show(&execution, &records, asked.full, style)),
    }
}

/// The execution with this id; where there is none, with ids that look like it.
pub(crate) async fn found(
    store: &dyn ExecutionStore,
    url: &str,
    id: &ExecutionId,
) -> Result<Execution, CliError> {
    match store.get(id).await {
        Err(error) if error.kind() == StoreErrorKind::NotFound => Err(CliError::NotFound {
            id: id.to_string(),
            store: url.to_owned(),
            nearest: store::nearest(store, id.as_str()).await,
        }),
        answer => answer.map_err(failed),
    }
}

pub(crate) fn failed(error: StoreError) -> CliError {
    CliError::Store(error.into())
}

pub(crate) fn print_json(value: &impl Serialize) -> Result<String, CliError> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
