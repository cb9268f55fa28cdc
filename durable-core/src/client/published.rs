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
        let mut chain = Chain::of(id)?;
        chain.read(self).await?;
        chain.values.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(chain.values)
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
        let seen = Chain::of(id).map(|chain| (chain, None::<PublishedValue>));
        stream::unfold(Some(seen), move |seen| async move {
            let (mut chain, last) = match seen? {
                Ok(seen) => seen,
                Err(error) => return Some((Err(error), None)),
            };
            loop {
                if chain.has_ended {
                    return None;
                }
                if let Err(error) = chain.read(self).await {
                    return Some((Err(error), None));
                }
                let value = chain.values.iter().find(|value| value.name == name);
                if let Some(value) = value.filter(|value| last.as_ref() != Some(value)) {
                    let (decoded, value) = (value.decode(), value.clone());
                    let next = decoded.is_ok().then(|| Ok((chain, Some(value))));
                    return Some((decoded, next));
                }
                if !chain.has_ended {
                    self.clock.sleep(INTERVAL).await;
                }
            }
        })
    }
}

/// Values that a chain of executions has published, up to where it was read.
struct Chain {
    /// The last execution that was read. Those before it have ended and do not change any more.
    last: ExecutionId,
    values: Vec<PublishedValue>,
    has_ended: bool,
}

impl Chain {
    fn of(id: &str) -> Result<Self, StoreError> {
        Ok(Self {
            last: id.parse().map_err(invalid_id)?,
            values: Vec::new(),
            has_ended: false,
        })
    }

    /// Reads what the last execution and those that continue it have published.
    async fn read(&mut self, client: &Client) -> Result<(), StoreError> {
        loop {
            // The state is read first: what an ended execution has published does not change any more.
            let execution = client.store.get(&self.last).await?;
            self.has_ended = execution.status.is_terminal();
            let records = client.store.published(&self.last).await?;
            for value in records.iter().filter_map(PublishedValue::of) {
                self.values.retain(|earlier| earlier.name != value.name);
                self.values.push(value);
            }
            match execution.next {
                Some(next) => self.last = next,
                None => return Ok(()),
            }
        }
    }
}
