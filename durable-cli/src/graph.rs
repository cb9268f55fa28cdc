//! `durable graph`: draws the operations of handlers, or the progress of an execution.

use durable_core::lock::{Lock, LockedHandler};
use durable_server::view::graph::Drawing;

use crate::args::{Format, Graph};
use crate::check::read_lock;
use crate::error::failed;
use crate::store::find;
use crate::{CliError, store};

/// Runs `durable graph`.
pub(crate) async fn run(url: &str, args: &Graph) -> Result<String, CliError> {
    let lock = read_lock(&args.lock)?;
    let drawing = match (&args.execution, &args.handler) {
        (Some(id), _) => {
            let store = store::open(url).await?;
            let execution = find(&*store, url, id).await?;
            let records = store.history(id).await.map_err(failed)?;
            let handler = handler(&lock, &execution.handler, args)?;
            Drawing::of_execution(handler, &execution, &records)
        }
        (None, Some(name)) => Drawing::of(&[handler(&lock, name, args)?]),
        (None, None) => Drawing::of(&lock.handlers.iter().collect::<Vec<_>>()),
    };
    Ok(match args.format {
        Format::Mermaid => drawing.mermaid(),
        Format::Svg => drawing.svg(),
    })
}

fn handler<'a>(lock: &'a Lock, name: &str, args: &Graph) -> Result<&'a LockedHandler, CliError> {
    lock.handler(name).ok_or_else(|| {
        let known: Vec<&str> = lock
            .handlers
            .iter()
            .map(|handler| handler.name.as_str())
            .collect();
        CliError::Lock(format!(
            "there is no handler `{name}` in {}; it has {}",
            args.lock.display(),
            known.join(", ")
        ))
    })
}
