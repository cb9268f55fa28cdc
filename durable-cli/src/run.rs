//! From what was asked for to the text that answers it.

use clap::CommandFactory;
use durable_core::Bulk;
use durable_core::store::Filter;

use crate::args::{Cli, Command, Ls, Show};
use crate::commands::{bulk, callback, follow, queue, schedule, start};
use crate::error::failed;
use crate::json::{Executions, History, print_json};
use crate::render::{self, Style};
use crate::store::found;
use crate::{CliError, check, graph, store};

/// Answers the command line: hands the text to `print`, mostly at once. What `print` answers is
/// whether anybody still reads.
///
/// # Errors
///
/// When there is no such store or execution, when the store cannot be read or written, or when not
/// all of what was asked for was done.
pub async fn run_to(
    cli: Cli,
    style: Style,
    print: &mut dyn FnMut(&str) -> bool,
) -> Result<(), CliError> {
    match &cli.command {
        Command::Show(asked) if asked.follow => follow::run(&cli.store, asked, style, print).await,
        #[cfg(feature = "lambda")]
        Command::Lambda(asked) => crate::commands::lambda::run(asked, print).await,
        _ => {
            print(&run(cli, style).await?);
            Ok(())
        }
    }
}

/// Answers the command line with a text.
///
/// # Errors
///
/// Those of [`run_to`].
pub async fn run(cli: Cli, style: Style) -> Result<String, CliError> {
    let url = &cli.store;
    match cli.command {
        Command::Ls(asked) => ls(url, asked, style).await,
        Command::Show(asked) => show(url, asked, style).await,
        Command::Start(asked) => start::run(url, asked).await,
        Command::Cancel(which) => bulk::change(url, which, Bulk::Cancel).await,
        Command::Pause(which) => bulk::change(url, which, Bulk::Pause).await,
        Command::Resume(which) => bulk::change(url, which, Bulk::Resume).await,
        Command::Retry(asked) => bulk::retry(url, asked).await,
        Command::Rm(which) => bulk::change(url, which, Bulk::Delete).await,
        Command::Gc(asked) => bulk::gc(url, asked).await,
        Command::Callback(asked) => callback::run(url, asked).await,
        Command::Queue(asked) => queue::run(url, asked, style).await,
        Command::Schedule(asked) => schedule::run(url, asked, style).await,
        Command::Check(asked) => check::run(url, &asked, style).await,
        Command::Graph(asked) => graph::run(url, &asked).await,
        #[cfg(feature = "lambda")]
        Command::Lambda(_) => Err(CliError::Usage(
            "`durable lambda` has no single answer: it runs until it is stopped".into(),
        )),
        #[cfg(feature = "lambda")]
        Command::Sandbox(asked) => crate::commands::sandbox::run(&asked),
        Command::Completion { shell } => Ok(completion(shell)),
    }
}

fn completion(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "durable", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

async fn ls(url: &str, asked: Ls, style: Style) -> Result<String, CliError> {
    let store = store::open(url).await?;
    let limit = asked.limit as usize;
    let filter = Filter {
        after: asked.after,
        // One more than is shown tells whether there are more.
        limit: limit + 1,
        ..asked.matching.filter()
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
