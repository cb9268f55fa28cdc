//! Seals and opens a single value, error or report.

use std::sync::Arc;

use super::codec::{PayloadCodec, SealContext, Subject};
use crate::ExecutionId;
use crate::model::error::{BoxError, OperationError};
use crate::model::payload::Payload;
use crate::model::payload::is_sealing;
use crate::model::record::Record;
use crate::model::sealed_text as text;
use crate::store::{Parent, StoreError, StoreErrorKind, cancelled_before_run};

/// The codecs of one store.
pub(super) struct Sealer {
    sealing: Arc<dyn PayloadCodec>,
    /// Codecs that open values. The sealing codec is the first.
    opening: Vec<Arc<dyn PayloadCodec>>,
    /// Whether values that are not sealed are refused.
    strict: bool,
}

/// Location of a payload: its execution, and what it is in it.
#[derive(Clone, Copy)]
pub(super) struct Location<'a> {
    execution: &'a ExecutionId,
    subject: Subject,
    record: Option<&'a Record>,
    parent: Option<&'a Parent>,
}

impl<'a> Location<'a> {
    pub(super) fn of(execution: &'a ExecutionId, subject: Subject) -> Self {
        Self {
            execution,
            subject,
            record: None,
            parent: None,
        }
    }

    /// Location of an input. It is bound to the parent, so that the input does not open if the parent is changed
    /// in the store.
    pub(super) fn input(execution: &'a ExecutionId, parent: Option<&'a Parent>) -> Self {
        Self {
            parent,
            ..Self::of(execution, Subject::Input)
        }
    }

    /// Location of an output. The inner store copies a child's output to the parent's operation, so it is
    /// sealed as that operation's value.
    pub(super) fn output(execution: &'a ExecutionId, parent: Option<&'a Parent>) -> Self {
        match parent {
            Some(parent) => Self::of(&parent.execution, Subject::Value(parent.operation)),
            None => Self::of(execution, Subject::Output),
        }
    }

    /// Location of the error of an execution. See [`output`](Self::output).
    pub(super) fn error(execution: &'a ExecutionId, parent: Option<&'a Parent>) -> Self {
        match parent {
            Some(parent) => Self::of(&parent.execution, Subject::Failure(parent.operation)),
            None => Self::of(execution, Subject::Error),
        }
    }

    pub(super) fn value(execution: &'a ExecutionId, record: &'a Record) -> Self {
        Self {
            execution,
            record: Some(record),
            ..Self::of(execution, Subject::Value(record.id))
        }
    }

    pub(super) fn failure(execution: &'a ExecutionId, record: &'a Record) -> Self {
        Self {
            subject: Subject::Failure(record.id),
            ..Self::value(execution, record)
        }
    }

    fn context(self, codec: &'a str) -> SealContext<'a> {
        SealContext::new(self.execution, self.subject, codec)
            .in_record(self.record)
            .for_parent(self.parent)
    }
}

impl Sealer {
    pub(super) fn new(codecs: Vec<Arc<dyn PayloadCodec>>) -> Result<Self, StoreError> {
        let Some(sealing) = codecs.first().map(Arc::clone) else {
            return Err(unusable(
                "a sealed store needs a codec: give at least one".into(),
            ));
        };
        for (n, codec) in codecs.iter().enumerate() {
            let name = codec.name();
            if !is_sealing(name) {
                return Err(unusable(format!(
                    "invalid name {name:?} of a payload codec: expected the algorithm, a `:` and the key or \
                     setting, in at most 64 printable ASCII characters without spaces, `+` and backticks"
                )));
            }
            if codecs[..n].iter().any(|other| other.name() == name) {
                return Err(unusable(format!(
                    "two payload codecs are named `{name}`: give each key a different name"
                )));
            }
        }
        Ok(Self {
            sealing,
            opening: codecs,
            strict: false,
        })
    }

    /// Returns a sealer with the same codecs that refuses values that are not sealed.
    pub(super) fn strict(&self) -> Self {
        Self {
            sealing: Arc::clone(&self.sealing),
            opening: self.opening.clone(),
            strict: true,
        }
    }

    pub(super) fn sealing(&self) -> &dyn PayloadCodec {
        &*self.sealing
    }

    /// Formats the names of the codecs, the sealing one first: `` `aes-gcm:k2`, `aes-gcm:k1` ``.
    pub(super) fn names(&self) -> String {
        let names = self.opening.iter().map(|codec| codec.name());
        names
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    pub(super) fn seal(
        &self,
        location: Location<'_>,
        payload: &Payload,
    ) -> Result<Payload, StoreError> {
        let codec = format!("{}+{}", payload.codec, self.sealing.name());
        let context = location.context(&codec);
        let sealed = self.sealing.seal(&context, &payload.data);
        let data = sealed.map_err(|error| {
            unusable(format!(
                "{context} cannot be sealed with `{}`; nothing was written",
                self.sealing.name()
            ))
            .with_source(error)
        })?;
        Ok(Payload {
            data: data.into(),
            codec: codec.into(),
        })
    }

    pub(super) fn open(
        &self,
        location: Location<'_>,
        payload: Payload,
    ) -> Result<Payload, StoreError> {
        let context = location.context(&payload.codec);
        let Some((codec, name)) = payload.split_codec() else {
            self.admit_plain(&context)?;
            return Ok(payload);
        };
        let Some(opening) = self.opening.iter().find(|codec| codec.name() == name) else {
            return Err(unusable(format!(
                "{context} is sealed with `{name}`, and this store was opened with {}: open it with that codec \
                 too; nothing was changed",
                self.names()
            )));
        };
        let data = opening
            .open(&context, &payload.data)
            .map_err(|error| cannot_open(&context, name, error))?;
        Ok(Payload {
            codec: codec.to_owned().into(),
            data: data.into(),
        })
    }

    /// Seals an entire error. Its kind, operation and attempts stay readable.
    pub(super) fn seal_error(
        &self,
        location: Location<'_>,
        error: &OperationError,
    ) -> Result<OperationError, StoreError> {
        let complete = serde_json::to_vec(error).map_err(|failed| {
            unusable(format!("{} cannot be encoded", location.context(""))).with_source(failed)
        })?;
        let complete = Payload {
            codec: "json".into(),
            data: complete.into(),
        };
        Ok(error.seal(self.seal(location, &complete)?))
    }

    pub(super) fn open_error(
        &self,
        location: Location<'_>,
        mut error: OperationError,
    ) -> Result<OperationError, StoreError> {
        let Some(sealed) = error.sealed.take() else {
            // The inner store creates this error itself, and it contains no user data.
            if error != cancelled_before_run(&error.operation) {
                self.admit_plain(&location.context(""))?;
            }
            return Ok(error);
        };
        let name = sealed.sealed_with().unwrap_or_default().to_owned();
        let complete = self.open(location, *sealed)?;
        serde_json::from_slice(&complete.data)
            .map_err(|error| cannot_open(&location.context(""), &name, error.into()))
    }

    pub(super) fn seal_report(
        &self,
        location: Location<'_>,
        report: &str,
    ) -> Result<String, StoreError> {
        let report = Payload {
            codec: "text".into(),
            data: report.to_owned().into(),
        };
        Ok(text::write_report(&self.seal(location, &report)?))
    }

    pub(super) fn open_report(
        &self,
        location: Location<'_>,
        report: String,
    ) -> Result<String, StoreError> {
        let Some((_, sealed)) = text::read_report(&report) else {
            self.admit_plain(&location.context(""))?;
            return Ok(report);
        };
        let name = sealed.sealed_with().unwrap_or_default().to_owned();
        let opened = self.open(location, sealed)?;
        String::from_utf8(opened.data.into())
            .map_err(|error| cannot_open(&location.context(""), &name, error.utf8_error().into()))
    }

    fn admit_plain(&self, context: &SealContext<'_>) -> Result<(), StoreError> {
        if !self.strict {
            return Ok(());
        }
        let message = format!(
            "{context} is not sealed, and this store accepts only sealed values: if it was written before \
             payloads were sealed, open the store without `sealed_only`; otherwise it was tampered with; \
             nothing was changed"
        );
        Err(StoreError::new(StoreErrorKind::Corrupt, message))
    }
}

fn unusable(message: String) -> StoreError {
    StoreError::new(StoreErrorKind::Unusable, message)
}

fn cannot_open(context: &SealContext<'_>, codec: &str, error: BoxError) -> StoreError {
    let message = format!(
        "{context} cannot be opened with `{codec}`: either the store was opened with the wrong key for that name, or the \
         stored bytes have changed; use the right key, or restore a backup; nothing was changed"
    );
    StoreError::new(StoreErrorKind::Corrupt, message).with_source(error)
}
