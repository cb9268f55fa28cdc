//! Seals and opens a single value, error or report.

use std::sync::Arc;

use super::codec::{PayloadCodec, SealContext, Subject};
use crate::ExecutionId;
use crate::model::error::{BoxError, OperationError};
use crate::model::payload::Payload;
use crate::model::payload::is_sealing;
use crate::model::record::Record;
use crate::model::sealed_text as text;
use crate::store::{Parent, StoreError, StoreErrorKind, cancelled_unrun};

/// The codecs of one store.
pub(super) struct Sealer {
    sealing: Arc<dyn PayloadCodec>,
    /// What was sealed with one of these is opened; the sealing one is among them.
    opening: Vec<Arc<dyn PayloadCodec>>,
    /// Whether something that is not sealed is refused.
    strict: bool,
}

/// Where in which execution a payload belongs.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    execution: &'a ExecutionId,
    subject: Subject,
    record: Option<&'a Record>,
    parent: Option<&'a Parent>,
}

impl<'a> Place<'a> {
    pub(super) fn of(execution: &'a ExecutionId, subject: Subject) -> Self {
        Self {
            execution,
            subject,
            record: None,
            parent: None,
        }
    }

    /// The input is bound to the operation that waits: whose outcome this will be cannot be changed
    /// in what is stored without the input refusing to open.
    pub(super) fn input(execution: &'a ExecutionId, parent: Option<&'a Parent>) -> Self {
        Self {
            parent,
            ..Self::of(execution, Subject::Input)
        }
    }

    /// The other store hands a child's output on as its parent's value, so it is sealed as that.
    pub(super) fn output(execution: &'a ExecutionId, parent: Option<&'a Parent>) -> Self {
        match parent {
            Some(parent) => Self::of(&parent.execution, Subject::Value(parent.operation)),
            None => Self::of(execution, Subject::Output),
        }
    }

    /// As [`output`](Self::output), of the error.
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
            return Err(unusable("no codec was given to seal payloads with".into()));
        };
        for (n, codec) in codecs.iter().enumerate() {
            let name = codec.name();
            if !is_sealing(name) {
                return Err(unusable(format!(
                    "{name:?} cannot name a payload codec: it takes what it does, a `:` and its key or setting, \
                     in at most 64 printable ASCII characters without spaces, `+` and backticks"
                )));
            }
            if codecs[..n].iter().any(|other| other.name() == name) {
                return Err(unusable(format!(
                    "two payload codecs are named `{name}`: give every key a name of its own"
                )));
            }
        }
        Ok(Self {
            sealing,
            opening: codecs,
            strict: false,
        })
    }

    /// The same, but what is not sealed is refused.
    pub(super) fn strictly(&self) -> Self {
        Self {
            sealing: Arc::clone(&self.sealing),
            opening: self.opening.clone(),
            strict: true,
        }
    }

    pub(super) fn sealing(&self) -> &dyn PayloadCodec {
        &*self.sealing
    }

    /// Names of the codecs, the sealing one first: `` `aes-gcm:k2`, `aes-gcm:k1` ``.
    pub(super) fn names(&self) -> String {
        let names = self.opening.iter().map(|codec| codec.name());
        names
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    pub(super) fn seal(&self, place: Place<'_>, payload: &Payload) -> Result<Payload, StoreError> {
        let codec = format!("{}+{}", payload.codec, self.sealing.name());
        let context = place.context(&codec);
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

    pub(super) fn open(&self, place: Place<'_>, payload: Payload) -> Result<Payload, StoreError> {
        let context = place.context(&payload.codec);
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
            .map_err(|error| unopened(&context, name, error))?;
        Ok(Payload {
            codec: codec.to_owned().into(),
            data: data.into(),
        })
    }

    /// The whole error goes into the sealed bytes; its kind, operation and attempts stay readable.
    pub(super) fn seal_error(
        &self,
        place: Place<'_>,
        error: &OperationError,
    ) -> Result<OperationError, StoreError> {
        let whole = serde_json::to_vec(error).map_err(|failed| {
            unusable(format!("{} cannot be encoded", place.context(""))).with_source(failed)
        })?;
        let whole = Payload {
            codec: "json".into(),
            data: whole.into(),
        };
        Ok(error.seal(self.seal(place, &whole)?))
    }

    pub(super) fn open_error(
        &self,
        place: Place<'_>,
        mut error: OperationError,
    ) -> Result<OperationError, StoreError> {
        let Some(sealed) = error.sealed.take() else {
            // Made by the other store, and says nothing.
            if error != cancelled_unrun(&error.operation) {
                self.admit_plain(&place.context(""))?;
            }
            return Ok(error);
        };
        let name = sealed.sealed_with().unwrap_or_default().to_owned();
        let whole = self.open(place, *sealed)?;
        serde_json::from_slice(&whole.data)
            .map_err(|error| unopened(&place.context(""), &name, error.into()))
    }

    pub(super) fn seal_report(&self, place: Place<'_>, report: &str) -> Result<String, StoreError> {
        let report = Payload {
            codec: "text".into(),
            data: report.to_owned().into(),
        };
        Ok(text::write_report(&self.seal(place, &report)?))
    }

    pub(super) fn open_report(
        &self,
        place: Place<'_>,
        report: String,
    ) -> Result<String, StoreError> {
        let Some((_, sealed)) = text::read_report(&report) else {
            self.admit_plain(&place.context(""))?;
            return Ok(report);
        };
        let name = sealed.sealed_with().unwrap_or_default().to_owned();
        let opened = self.open(place, sealed)?;
        String::from_utf8(opened.data.into())
            .map_err(|error| unopened(&place.context(""), &name, error.utf8_error().into()))
    }

    fn admit_plain(&self, context: &SealContext<'_>) -> Result<(), StoreError> {
        if !self.strict {
            return Ok(());
        }
        let message = format!(
            "{context} is not sealed, and this store takes only what is: where it was written before \
             payloads were sealed, open the store without `sealed_only`; else somebody has replaced it; \
             nothing was changed"
        );
        Err(StoreError::new(StoreErrorKind::Corrupt, message))
    }
}

fn unusable(message: String) -> StoreError {
    StoreError::new(StoreErrorKind::Unusable, message)
}

fn unopened(context: &SealContext<'_>, codec: &str, error: BoxError) -> StoreError {
    let message = format!(
        "{context} cannot be opened with `{codec}`: either the key is not the one of that name, or what is \
         stored was changed; open the store with the right key, or restore it; nothing was changed"
    );
    StoreError::new(StoreErrorKind::Corrupt, message).with_source(error)
}
