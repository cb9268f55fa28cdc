//! From what was asked for to the text that answers it.

use durable_core::store::{Filter, StoreError, StoreErrorKind};
use serde::Serialize;

use crate::args::{Cli, Command, Ls, Show};
use crate::json::{Executions, History};
use crate::render::{self, Style};
use crate::{CliError, store};

/// Answers the command line.
///
/// # Errors
///
/// When there is no such store or execution, or the store cannot be read.
pub async fn run(cli: Cli, style: Style) -> Result<String, CliError> {
    match cli.command {
        Command::Ls(asked) => ls(&cli.store, asked, style).await,
        Command::Show(asked) => show(&cli.store, asked, style).await,
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
    let execution = match store.get(&asked.id).await {
        Ok(execution) => execution,
        Err(error) if error.kind() == StoreErrorKind::NotFound => {
            return Err(CliError::NotFound {
                id: asked.id.to_string(),
                store: url.to_owned(),
                nearest: store::nearest(&*store, asked.id.as_str()).await,
            });
        }
        Err(error) => return Err(failed(error)),
    };
    let records = store.history(&asked.id).await.map_err(failed)?;
    match asked.json {
        true => print_json(&History::new(&execution, &records, asked.full)),
        false => Ok(render::show(&execution, &records, asked.full, style)),
    }
}

fn failed(error: StoreError) -> CliError {
    CliError::Store(error.into())
}

fn print_json(value: &impl Serialize) -> Result<String, CliError> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
