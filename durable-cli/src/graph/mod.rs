//! `durable graph`: the operations of handlers, and how far an execution has come in them.

mod mermaid;
mod model;
mod svg;

use durable_core::lock::{Lock, LockedHandler};

use crate::args::{Format, Graph};
use crate::check::read_lock;
use crate::error::failed;
use crate::store::found;
use crate::{CliError, store};
use model::Drawing;

/// Answers `durable graph`.
pub(crate) async fn run(url: &str, asked: &Graph) -> Result<String, CliError> {
    let lock = read_lock(&asked.lock)?;
    let drawing = match (&asked.execution, &asked.handler) {
        (Some(id), _) => {
            let store = store::open(url).await?;
            let execution = found(&*store, url, id).await?;
            let records = store.history(id).await.map_err(failed)?;
            let handler = handler(&lock, &execution.handler, asked)?;
            Drawing::of_execution(handler, &execution, &records)
        }
        (None, Some(name)) => Drawing::of(&[handler(&lock, name, asked)?]),
        (None, None) => Drawing::of(&lock.handlers.iter().collect::<Vec<_>>()),
    };
    Ok(match asked.format {
        Format::Mermaid => mermaid::write(&drawing),
        Format::Svg => svg::write(&drawing),
    })
}

fn handler<'a>(lock: &'a Lock, name: &str, asked: &Graph) -> Result<&'a LockedHandler, CliError> {
    lock.handler(name).ok_or_else(|| {
        let known: Vec<&str> = lock.handlers.iter().map(|one| one.name.as_str()).collect();
        CliError::Lock(format!(
            "there is no handler `{name}` in {}; it has {}",
            asked.lock.display(),
            known.join(", ")
        ))
    })
}
