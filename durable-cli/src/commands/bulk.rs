//! Changes of executions, selected by ids or filters.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use durable_core::store::{Filter, StoreError, StoreErrorKind};
use durable_core::{Bulk, Client, Clock, ExecutionId, RetryFrom, SystemClock, Timestamp};

use crate::args::{ChangeArgs, Gc, Retry, SelectArgs, Selection};
use crate::error::failed;
use crate::json::{ChangeResult, Refusal, print_json};
use crate::store::find;
use crate::{CliError, store};

/// Maximum number of ids listed in the confirmation prompt.
const MAX_LISTED: usize = 10;

/// Changes the selected executions.
pub(crate) async fn change(
    url: &str,
    select: SelectArgs,
    change: Bulk,
) -> Result<String, CliError> {
    let options = select.change;
    let selection = select.selection().map_err(CliError::Usage)?;
    let store = store::open(url).await?;
    let client = Client::new(Arc::clone(&store));
    match selection {
        Selection::Ids(ids) => {
            for id in &ids {
                find(&*store, url, id).await?;
            }
            one_by_one(&client, ids, &change, options).await
        }
        Selection::Matching(filter) => all(&client, *filter, change, options).await,
    }
}

/// Retries the selected executions.
pub(crate) async fn retry(url: &str, args: Retry) -> Result<String, CliError> {
    let from = match (args.from, args.from_start) {
        (Some(operation), _) => RetryFrom::Operation(operation),
        (None, true) => RetryFrom::Beginning,
        (None, false) => RetryFrom::Failure,
    };
    change(url, args.select, Bulk::Retry(from)).await
}

/// Removes executions that ended long ago.
pub(crate) async fn gc(url: &str, args: Gc) -> Result<String, CliError> {
    if let Some(status) = args.status.iter().find(|status| !status.is_terminal()) {
        let text = format!(
            "--status {status}: executions that are {status} have not ended and cannot be removed"
        );
        return Err(CliError::Usage(text));
    }
    let client = Client::new(store::open(url).await?);
    let keep = i64::try_from(args.keep.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp::from_millis(SystemClock.now().as_millis().saturating_sub(keep));
    let mut filter = client.ended_before(before).filter().clone();
    if !args.status.is_empty() {
        filter.status = args.status;
    }
    all(&client, filter, Bulk::Delete, args.change).await
}

/// Returns the word for a change.
fn verb(change: &Bulk) -> &'static str {
    match change {
        Bulk::Cancel => "cancel",
        Bulk::Pause => "pause",
        Bulk::Resume => "resume",
        Bulk::Retry(_) => "retry",
        Bulk::Delete => "remove",
        _ => "change",
    }
}

/// Changes executions given by their ids.
async fn one_by_one(
    client: &Client,
    ids: Vec<ExecutionId>,
    change: &Bulk,
    options: ChangeArgs,
) -> Result<String, CliError> {
    if options.dry_run {
        return result(change, ids, Vec::new(), options);
    }
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for id in ids {
        match client.apply(&id, change).await {
            Ok(()) => done.push(id),
            Err(error) if error.kind() == StoreErrorKind::Unavailable => return Err(failed(error)),
            Err(error) => refused.push((id, error)),
        }
    }
    result(change, done, refused, options)
}

/// Changes all executions that match, after confirmation.
async fn all(
    client: &Client,
    filter: Filter,
    change: Bulk,
    options: ChangeArgs,
) -> Result<String, CliError> {
    let selection = client.select(filter);
    let affected = selection.affected(&change).await.map_err(failed)?;
    if options.dry_run || affected.is_empty() {
        return result(&change, affected, Vec::new(), options);
    }
    if !options.yes {
        confirm(verb(&change), &affected)?;
    }
    let changed = selection.apply(change.clone()).await.map_err(failed)?;
    result(&change, changed.done, changed.refused, options)
}

/// Asks for confirmation on a terminal. Without one, fails with the list of executions.
fn confirm(verb: &str, affected: &[ExecutionId]) -> Result<(), CliError> {
    let named: Vec<_> = affected
        .iter()
        .take(MAX_LISTED)
        .map(|id| format!("  {id}\n"))
        .collect();
    let more = affected.len().saturating_sub(MAX_LISTED);
    let more = if more > 0 {
        format!("  and {more} more\n")
    } else {
        String::new()
    };
    let executions = counted(affected.len());
    let what = format!("would {verb} {executions}:\n{}{more}", named.concat());
    if !io::stdin().is_terminal() {
        return Err(CliError::Unconfirmed(format!(
            "{what}confirm with --yes, or use --dry-run to only list them"
        )));
    }
    let mut err = io::stderr().lock();
    let prompted = write!(err, "{what}{verb} them? [y/N] ").and_then(|()| err.flush());
    let mut answer = String::new();
    let read = prompted.and_then(|()| io::stdin().read_line(&mut answer));
    match read {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => Err(CliError::Unconfirmed("nothing was changed".into())),
    }
}

fn counted(executions: usize) -> String {
    match executions {
        1 => "1 execution".to_owned(),
        n => format!("{n} executions"),
    }
}

/// Formats the result of a change. Refusals make it an error.
fn result(
    change: &Bulk,
    done: Vec<ExecutionId>,
    refused: Vec<(ExecutionId, StoreError)>,
    options: ChangeArgs,
) -> Result<String, CliError> {
    let verb = verb(change);
    let text = if options.json {
        let refused = refused.iter().map(|(id, why)| Refusal::new(id, why));
        print_json(&ChangeResult::new(
            verb,
            options.dry_run,
            &done,
            refused.collect(),
        ))?
    } else {
        let would = if options.dry_run { "would " } else { "" };
        let mut text: String = done
            .iter()
            .map(|id| format!("{would}{verb} {id}\n"))
            .collect();
        text.push_str(&format!(
            "{}{}\n",
            counted(done.len()),
            if options.dry_run { " (dry run)" } else { "" }
        ));
        text
    };
    if refused.is_empty() {
        return Ok(text);
    }
    let why = refused.into_iter().map(|(_, why)| why.to_string());
    Err(CliError::Partly {
        done: text,
        refused: why.collect::<Vec<_>>().join("\n"),
    })
}
