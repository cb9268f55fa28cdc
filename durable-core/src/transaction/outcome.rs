//! Contents of an outcome row.

use std::borrow::Cow;

use crate::model::error::{BoxError, OperationError};
use crate::model::payload::Payload;

/// Contents of an outcome row: the value of the step, or the error that it has finally failed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedOutcome {
    pub(crate) outcome: Result<Payload, OperationError>,
    data: Vec<u8>,
}

impl RecordedOutcome {
    pub(crate) fn value(payload: Payload) -> Self {
        Self {
            data: payload.data.to_vec(),
            outcome: Ok(payload),
        }
    }

    pub(crate) fn error(error: OperationError) -> Self {
        Self {
            data: serde_json::to_vec(&error).unwrap_or_default(),
            outcome: Err(error),
        }
    }

    /// Returns the name of the codec of the value. `None` for an error.
    pub fn codec(&self) -> Option<&str> {
        self.outcome.as_ref().ok().map(|payload| &*payload.codec)
    }

    /// Returns the encoded value, or the error as JSON.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Creates the outcome from the columns of a row.
    ///
    /// ```
    /// use durable_core::transaction::RecordedOutcome;
    ///
    /// let outcome = RecordedOutcome::from_columns(Some("json".to_owned()), b"17".to_vec())?;
    /// assert_eq!(outcome.codec(), Some("json"));
    /// assert_eq!(outcome.data(), b"17");
    /// # Ok::<(), durable_core::BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// An error that cannot be decoded.
    pub fn from_columns(codec: Option<String>, data: Vec<u8>) -> Result<Self, BoxError> {
        let outcome = match codec {
            Some(codec) => Ok(Payload {
                codec: Cow::Owned(codec),
                data: data.clone().into(),
            }),
            None => Err(serde_json::from_slice(&data)?),
        };
        Ok(Self { outcome, data })
    }
}
