//! Values that executions publish.

use futures_util::stream::{self, Stream};
use serde::de::DeserializeOwned;

use super::Client;
use super::send::invalid_id;
use crate::model::payload::Payload;
use crate::model::record::Record;
use crate::store::{StoreError, StoreErrorKind};
use crate::{ExecutionId, Timestamp};

/// Interval at which a stream of published values looks for a change.
const INTERVAL: std::time::Duration = std::time::Duration::from_millis(200);

/// The latest value under a name.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PublishedValue {
    /// The name.
    pub name: String,
    /// The value, encoded as JSON.
    pub payload: Payload,
    /// Number of values published under this name so far, this one included.
    pub count: u32,
    /// When it was published.
    pub at: Timestamp,
}

impl PublishedValue {
    /// Returns the value of a record, if `publish!` has written it.
    pub fn of(record: &Record) -> Option<Self> {
        Some(Self {
            name: record.published_name()?.to_owned(),
            payload: record.payload.clone()?,
            count: record.attempt,
            at: record.ended_at.unwrap_or(record.started_at),
        })
    }

    /// Decodes the value.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Unusable`] if it is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_slice(&self.payload.data).map_err(|error| {
            let message = format!(
                "the value published as `{}` is not a `{}`: {error}",
                self.name,
                std::any::type_name::<T>()
            );
            StoreError::new(StoreErrorKind::Unusable, message)
        })
    }
}

impl Client {
    /// Returns the latest value that an execution has published under a name with `publish!`, or `None` if there is none
    /// yet. In a chain of executions it is that of the last one which has published under this name.
    ///
    /// ```
    /// # use durable_core::{Client, store::StoreError};
    /// # async fn f(client: Client) -> Result<(), StoreError> {
    /// let progress: Option<String> = client.published("import-7", "progress").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`] for an unknown execution, [`StoreErrorKind::Unusable`] for an invalid id or a value that
    /// is not a `T`.
    pub async fn published<T: DeserializeOwned>(
        &self,
        id: &str,
        name: &str,
    ) -> Result<Option<T>, StoreError> {
        let values = self.published_values(id).await?;
        let value = values.iter().find(|value| value.name == name);
        value.map(PublishedValue::decode).transpose()
    }

    /// Returns all values that an execution has published, by name. In a chain of executions, those of later ones replace
    /// those of earlier ones.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`], [`StoreErrorKind::Unusable`] for an invalid id.
    pub async fn published_values(&self, id: &str) -> Result<Vec<PublishedValue>, StoreError> {
        Ok(self.published_in_chain(id).await?.values)
    }

    /// Returns the values published under a name as they change: the current one first, if there is one. Values that are
    /// replaced within a fifth of a second may be left out. The stream ends after the last value of an execution that has
    /// ended, and after an error.
    ///
    /// # Errors
    ///
    /// The items are errors as those of [`published`](Self::published).
    pub fn published_changes<'a, T: DeserializeOwned + 'a>(
        &'a self,
        id: &'a str,
        name: &'a str,
    ) -> impl Stream<Item = Result<T, StoreError>> + 'a {
        stream::unfold(Seen::default(), move |mut seen| async move {
            loop {
                if seen.is_last {
                    return None;
                }
                let found = match self.published_in_chain(id).await {
                    Ok(found) => found,
                    Err(error) => {
                        seen.is_last = true;
                        return Some((Err(error), seen));
                    }
                };
                seen.is_last = found.has_ended;
                let value = found.values.into_iter().find(|value| value.name == name);
                let value = value.filter(|value| seen.value.as_ref() != Some(value));
                if let Some(value) = value {
                    let decoded = value.decode();
                    seen.is_last |= decoded.is_err();
                    seen.value = Some(value);
                    return Some((decoded, seen));
                }
                if !seen.is_last {
                    self.clock.sleep(INTERVAL).await;
                }
            }
        })
    }

    async fn published_in_chain(&self, id: &str) -> Result<Found, StoreError> {
        let mut next: Option<ExecutionId> = Some(id.parse().map_err(invalid_id)?);
        let mut found = Found::default();
        while let Some(id) = next {
            // The state is read first: what an ended execution has published does not change any more.
            let execution = self.store.get(&id).await?;
            found.has_ended = execution.status.is_terminal();
            let records = self.store.published(&id).await?;
            let values = records.iter().filter_map(PublishedValue::of);
            for value in values {
                found.values.retain(|earlier| earlier.name != value.name);
                found.values.push(value);
            }
            next = execution.next;
        }
        found.values.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }
}

/// What a stream has returned.
#[derive(Default)]
struct Seen {
    value: Option<PublishedValue>,
    is_last: bool,
}

/// What a chain has published.
#[derive(Default)]
struct Found {
    values: Vec<PublishedValue>,
    /// Whether the last execution of the chain has ended.
    has_ended: bool,
}
