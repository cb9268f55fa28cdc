//! Changes of executions: of some, by their ids, or of all that match.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use durable_core::store::{Filter, StoreError, StoreErrorKind};
use durable_core::{Bulk, Client, Clock, ExecutionId, RetryFrom, SystemClock, Timestamp};

use crate::args::{Chosen, Gc, How, Retry, Which};
use crate::error::failed;
use crate::json::{Changed, Refused, print_json};
use crate::store::found;
use crate::{CliError, store};

/// As many ids are named before it is asked.
const NAMED: usize = 10;

/// Changes what was chosen.
pub(crate) async fn change(url: &str, which: Which, change: Bulk) -> Result<String, CliError> {
    let how = which.how;
    let chosen = which.choose().map_err(CliError::Usage)?;
    let store = store::open(url).await?;
    let client = Client::new(Arc::clone(&store));
    match chosen {
        Chosen::Ids(ids) => {
            for id in &ids {
                found(&*store, url, id).await?;
            }
            one_by_one(&client, ids, &change, how).await
        }
        Chosen::Matching(filter) => all(&client, filter, change, how).await,
    }
}

/// Runs again what was chosen.
pub(crate) async fn retry(url: &str, asked: Retry) -> Result<String, CliError> {
    let from = match (asked.from, asked.from_start) {
        (Some(operation), _) => RetryFrom::Operation(operation),
        (None, true) => RetryFrom::Beginning,
        (None, false) => RetryFrom::Failure,
    };
    change(url, asked.which, Bulk::Retry(from)).await
}

/// Removes what ended long ago.
pub(crate) async fn gc(url: &str, asked: Gc) -> Result<String, CliError> {
    if let Some(status) = asked.status.iter().find(|status| !status.is_terminal()) {
        let text = format!("--status {status}: what is {status} has not ended, and is not removed");
        return Err(CliError::Usage(text));
    }
    let client = Client::new(store::open(url).await?);
    let keep = i64::try_from(asked.keep.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp::from_millis(SystemClock.now().as_millis().saturating_sub(keep));
    let mut filter = client.ended_before(before).filter().clone();
    if !asked.status.is_empty() {
        filter.status = asked.status;
    }
    all(&client, filter, Bulk::Delete, asked.how).await
}

/// What a change is called.
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

async fn one_by_one(
    client: &Client,
    ids: Vec<ExecutionId>,
    change: &Bulk,
    how: How,
) -> Result<String, CliError> {
    if how.dry_run {
        return answer(change, ids, Vec::new(), how);
    }
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for id in ids {
        match client.apply(&id, change).await {
            Ok(()) => done.push(id),
            Err(error) if error.kind() == StoreErrorKind::Unavailable => return Err(failed(error)),
            Err(error) => refused.push((id, error)),
        }
    }
    answer(change, done, refused, how)
}

/// Says what would be changed, asks, and changes it.
async fn all(client: &Client, filter: Filter, change: Bulk, how: How) -> Result<String, CliError> {
    let selection = client.select(filter);
    let concerned = selection.concerned(&change).await.map_err(failed)?;
    if how.dry_run || concerned.is_empty() {
        return answer(&change, concerned, Vec::new(), how);
    }
    if !how.yes {
        confirm(verb(&change), &concerned)?;
    }
    let changed = selection.apply(change.clone()).await.map_err(failed)?;
    answer(&change, changed.done, changed.refused, how)
}

fn confirm(verb: &str, concerned: &[ExecutionId]) -> Result<(), CliError> {
    let named: Vec<_> = concerned
        .iter()
        .take(NAMED)
        .map(|id| format!("  {id}\n"))
        .collect();
    let more = concerned.len().saturating_sub(NAMED);
    let more = if more > 0 {
        format!("  and {more} more\n")
    } else {
        String::new()
    };
    let executions = counted(concerned.len());
    let what = format!("would {verb} {executions}:\n{}{more}", named.concat());
    if !io::stdin().is_terminal() {
        return Err(CliError::Unconfirmed(format!(
            "{what}say --yes to do it, or --dry-run to see only"
        )));
    }
    let mut err = io::stderr().lock();
    let asked = write!(err, "{what}{verb} them? [y/N] ").and_then(|()| err.flush());
    let mut said = String::new();
    let heard = asked.and_then(|()| io::stdin().read_line(&mut said));
    match heard {
        Ok(_) if matches!(said.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => Err(CliError::Unconfirmed("nothing was changed".into())),
    }
}

fn counted(executions: usize) -> String {
    match executions {
        1 => "1 execution".to_owned(),
        n => format!("{n} executions"),
    }
}

fn answer(
    change: &Bulk,
    done: Vec<ExecutionId>,
    refused: Vec<(ExecutionId, StoreError)>,
    how: How,
) -> Result<String, CliError> {
    let verb = verb(change);
    let text = if how.json {
        let refused = refused.iter().map(|(id, why)| Refused {
            id: id.to_string(),
            why: why.to_string(),
        });
        print_json(&Changed::new(verb, how.dry_run, &done, refused.collect()))?
    } else {
        let would = if how.dry_run { "would " } else { "" };
        let mut text: String = done
            .iter()
            .map(|id| format!("{would}{verb} {id}\n"))
            .collect();
        text.push_str(&format!(
            "{}{}\n",
            counted(done.len()),
            if how.dry_run { " (dry run)" } else { "" }
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
