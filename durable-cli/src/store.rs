//! Opens existing stores and finds executions in them.

use std::borrow::Cow;
use std::fs;
use std::sync::Arc;

use durable_core::ExecutionId;
use durable_core::store::{Execution, Filter, Store, StoreErrorKind};

use crate::CliError;
use crate::error::failed;

/// Maximum number of ids searched for ones similar to a mistyped id.
const MAX_SEARCHED: usize = 10_000;
/// Maximum number of similar ids to suggest.
const MAX_SUGGESTED: usize = 3;

/// Opens the store at `url`. Unlike a program that runs executions, never creates one.
pub(crate) async fn open(url: &str) -> Result<Arc<dyn Store>, CliError> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        require_file(path, url)?;
    } else if url.starts_with("memory:") {
        return Err(CliError::NoStore(
            "a store in memory is only visible to its own process; give a file, as in \
             `--store sqlite:durable.db`"
                .into(),
        ));
    }
    durable::open(&without_creation(url))
        .await
        .map_err(|error| CliError::Store(error.into()))
}

/// Adds the option that creates no tables to the URL of a PostgreSQL store.
fn without_creation(url: &str) -> Cow<'_, str> {
    if !url.starts_with("postgres") {
        return Cow::Borrowed(url);
    }
    let joint = if url.contains('?') { '&' } else { '?' };
    Cow::Owned(format!("{url}{joint}create=false"))
}

fn require_file(path: &str, url: &str) -> Result<(), CliError> {
    let problem = match fs::metadata(path) {
        Ok(found) if found.is_dir() => "it is a folder".to_owned(),
        Ok(found) if found.len() == 0 => "the file is empty".to_owned(),
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            "no such file (nothing was created)".to_owned()
        }
        Err(error) => error.to_string(),
    };
    Err(CliError::NoStore(format!(
        "no store at {url}: {problem}; give another with --store or DURABLE_STORE"
    )))
}

/// Returns the execution with this id, or an error that suggests similar ids.
pub(crate) async fn find(
    store: &dyn Store,
    url: &str,
    id: &ExecutionId,
) -> Result<Execution, CliError> {
    match store.get(id).await {
        Ok(execution) => Ok(execution),
        Err(error) if error.kind() == StoreErrorKind::NotFound => Err(CliError::NotFound {
            id: id.to_string(),
            store: url.to_owned(),
            nearest: nearest(store, id.as_str()).await,
        }),
        Err(error) => Err(failed(error)),
    }
}

/// Returns ids in the store that are similar to `wanted`, most similar first.
pub(crate) async fn nearest(store: &dyn Store, wanted: &str) -> Vec<String> {
    let mut scored: Vec<(usize, String)> = Vec::new();
    let mut after: Option<ExecutionId> = None;
    let mut searched = 0;
    while searched < MAX_SEARCHED {
        let filter = Filter {
            after: after.take(),
            limit: 1000,
            ..Filter::default()
        };
        // Only a suggestion depends on this read: its error must not hide the original one.
        let Ok(page) = store.list(filter).await else {
            break;
        };
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        searched += page.len();
        scored.extend(page.iter().filter_map(|execution| {
            let id = execution.id.as_str();
            typo_distance(wanted, id).map(|distance| (distance, id.to_owned()))
        }));
    }
    scored.sort();
    scored
        .into_iter()
        .take(MAX_SUGGESTED)
        .map(|(_, id)| id)
        .collect()
}

/// Returns the number of letters that differ, if few enough for a typing error. Zero if the id begins
/// with `wanted`.
fn typo_distance(wanted: &str, id: &str) -> Option<usize> {
    if id.starts_with(wanted) || id.eq_ignore_ascii_case(wanted) {
        return Some(0);
    }
    let distance = distance(wanted.as_bytes(), id.as_bytes());
    (distance <= (wanted.len() / 3).clamp(1, 4)).then_some(distance)
}

/// Computes the Levenshtein distance of two texts.
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replace = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::typo_distance;

    #[test]
    fn typing_errors_are_recognised() {
        assert_eq!(typo_distance("birdstrike", "birdstrikes"), Some(0));
        assert_eq!(typo_distance("brdstrikes", "birdstrikes"), Some(1));
        assert_eq!(typo_distance("Birdstrikes", "birdstrikes"), Some(0));
        assert_eq!(typo_distance("order-17", "birdstrikes"), None);
    }
}
