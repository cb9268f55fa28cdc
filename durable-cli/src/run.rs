//! Executes a parsed command line.

use clap::CommandFactory;
use durable::transaction::schema;
use durable_core::Bulk;
use durable_core::PublishedValue;
use durable_core::store::{Execution, Filter, Order, Store, StoreErrorKind};

use crate::args::{Cli, Command, Dialect, Ls, Show};
use crate::commands::{bulk, callback, follow, fork, queue, schedule, send, start};
use crate::error::failed;
use crate::json::{Executions, History, Messages, print_json};
use crate::render::{self, Style};
use crate::store::find;
use crate::{CliError, check, graph, store};

/// Executes the command line and passes its output to `print`.
///
/// `print` is called once, or as output arrives for commands that keep running. It returns whether
/// the output is still being read; the command stops when it is not.
///
/// # Errors
///
/// Returns an error if the store or the execution does not exist, if the store cannot be read or
/// written, or if some changes were refused.
pub async fn run_to(
    cli: Cli,
    style: Style,
    print: &mut dyn FnMut(&str) -> bool,
) -> Result<(), CliError> {
    match &cli.command {
        Command::Show(args) if args.follow => follow::run(&cli.store, args, style, print).await,
        #[cfg(feature = "lambda")]
        Command::Lambda(args) => crate::commands::lambda::run(args, print).await,
        #[cfg(feature = "serve")]
        Command::Serve(args) => crate::commands::serve::run(&cli.store, args, print).await,
        _ => {
            print(&run(cli, style).await?);
            Ok(())
        }
    }
}

/// Executes the command line and returns its output.
///
/// # Errors
///
/// Returns the errors of [`run_to`], and one for commands that run until they are stopped.
pub async fn run(cli: Cli, style: Style) -> Result<String, CliError> {
    let url = &cli.store;
    match cli.command {
        Command::Ls(args) => ls(url, args, style).await,
        Command::Show(args) => show(url, args, style).await,
        Command::Start(args) => start::run(url, args).await,
        Command::Fork(args) => fork::run(url, args).await,
        Command::Cancel(which) => bulk::change(url, which, Bulk::Cancel).await,
        Command::Pause(which) => bulk::change(url, which, Bulk::Pause).await,
        Command::Resume(which) => bulk::change(url, which, Bulk::Resume).await,
        Command::Retry(args) => bulk::retry(url, args).await,
        Command::Rm(which) => bulk::change(url, which, Bulk::Delete).await,
        Command::Gc(args) => bulk::gc(url, args).await,
        Command::Callback(args) => callback::run(url, args).await,
        Command::Send(args) => send::run(url, args).await,
        Command::Queue(args) => queue::run(url, args, style).await,
        Command::Schedule(args) => schedule::run(url, args, style).await,
        Command::Check(args) => check::run(url, &args, style).await,
        Command::Graph(args) => graph::run(url, &args).await,
        #[cfg(feature = "lambda")]
        Command::Lambda(_) => Err(CliError::Usage(
            "`durable lambda` runs until it is stopped: use `run_to` to get its output".into(),
        )),
        #[cfg(feature = "serve")]
        Command::Serve(_) => Err(CliError::Usage(
            "`durable serve` has no single answer: it runs until it is stopped".into(),
        )),
        #[cfg(feature = "lambda")]
        Command::Sandbox(args) => crate::commands::sandbox::run(&args),
        Command::TransactionSchema { dialect } => Ok(transaction_schema(dialect).to_owned()),
        Command::Completion { shell } => Ok(completion(shell)),
    }
}

fn transaction_schema(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => schema::POSTGRES,
        Dialect::MySql => schema::MYSQL,
        Dialect::Sqlite => schema::SQLITE,
    }
}

fn completion(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "durable", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

async fn ls(url: &str, args: Ls, style: Style) -> Result<String, CliError> {
    let store = store::open(url).await?;
    let limit = args.limit as usize;
    let filter = Filter {
        after: args.after,
        order: match args.newest {
            true => Order::Newest { after: None },
            false => Order::Id,
        },
        // One more than is shown, to know whether there are more.
        limit: limit + 1,
        ..args.matching.filter().map_err(CliError::Usage)?
    };
    let mut executions = store.list(filter).await.map_err(failed)?;
    let more = executions.len() > limit;
    executions.truncate(limit);
    if args.json {
        return print_json(&Executions::new(&executions, more));
    }
    let published = match &args.published {
        Some(name) => published(&*store, &executions, name).await?,
        None => Vec::new(),
    };
    Ok(render::ls(&executions, &published, more, style))
}

/// Reads the latest value that each execution has published under a name.
async fn published(
    store: &dyn Store,
    executions: &[Execution],
    name: &str,
) -> Result<Vec<Option<PublishedValue>>, CliError> {
    let mut values = Vec::with_capacity(executions.len());
    for execution in executions {
        let records = match store.published(&execution.id).await {
            Ok(records) => records,
            // It was removed after the listing.
            Err(error) if error.kind() == StoreErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let mut found = records.iter().filter_map(PublishedValue::of);
        values.push(found.find(|value| value.name == name));
    }
    Ok(values)
}

async fn show(url: &str, args: Show, style: Style) -> Result<String, CliError> {
    let store = store::open(url).await?;
    let execution = find(&*store, url, &args.id).await?;
    let records = store.history(&args.id).await.map_err(failed)?;
    let messages = match store.capabilities().messages {
        true => store.messages(&args.id).await.map_err(failed)?,
        false => Vec::new(),
    };
    let messages = Messages::new(&messages, &records, args.full);
    if args.json {
        let history = History::new(&execution, &records, args.full);
        return print_json(&history.with_messages(messages));
    }
    let mut text = render::show(&execution, &records, args.full, style);
    text.push_str(&render::messages(&messages, style));
    Ok(text)
}
