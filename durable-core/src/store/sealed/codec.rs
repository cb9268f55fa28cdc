//! Payload codecs, and the context they are given.

use std::fmt;
use std::sync::Arc;

use crate::model::error::BoxError;
use crate::model::record::Record;
use crate::store::Parent;
use crate::{ExecutionId, OperationId};

/// Transformation of stored values: encryption, compression, or both.
///
/// A payload codec works on the bytes that a [`Codec`](crate::Codec) produced. It belongs to a store, not to a
/// durable function: see [`SealedStore`](super::SealedStore).
///
/// ```
/// use durable_core::BoxError;
/// use durable_core::store::{PayloadCodec, SealContext};
///
/// /// Obfuscates values. It is not encryption.
/// struct Veil(u8);
///
/// impl PayloadCodec for Veil {
///     fn name(&self) -> &str {
///         "veil:1"
///     }
///     fn seal(&self, _: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
///         Ok(bytes.iter().map(|byte| byte ^ self.0).collect())
///     }
///     fn open(&self, context: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
///         self.seal(context, bytes)
///     }
///     fn sealed_len(&self, len: usize) -> usize {
///         len
///     }
/// }
/// ```
pub trait PayloadCodec: Send + Sync + 'static {
    /// Returns the name: the algorithm, a `:`, and the key or setting, such as `aes-gcm:k1`.
    ///
    /// The name is stored with everything the codec seals, and selects the codec that opens it. Every key therefore
    /// needs a separate name, and a name is never reused. At most 64 bytes of printable ASCII without
    /// spaces, `+` and `` ` ``.
    fn name(&self) -> &str;

    /// Returns the bytes to store.
    ///
    /// # Errors
    ///
    /// An error fails the checkpoint or start with [`StoreErrorKind::Unusable`](super::StoreErrorKind::Unusable),
    /// and nothing is written. It must not quote the bytes.
    fn seal(&self, context: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError>;

    /// Returns the bytes that were given to [`seal`](Self::seal), in an equal context.
    ///
    /// # Errors
    ///
    /// An error means that the key is wrong, or that the bytes or their context have changed. The call to the store
    /// fails with [`StoreErrorKind::Corrupt`](super::StoreErrorKind::Corrupt), and the stored bytes stay as they are.
    fn open(&self, context: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError>;

    /// Returns the most bytes that a payload of `len` bytes takes when sealed. The limits of the store shrink
    /// accordingly. The result must not decrease as `len` grows.
    fn sealed_len(&self, len: usize) -> usize;
}

/// Types that can be passed as a codec: a [`PayloadCodec`], or an `Arc` of one. Codecs of different types are passed
/// together as `Arc<dyn PayloadCodec>`.
pub trait IntoCodec {
    /// Converts into a shared codec.
    fn into_codec(self) -> Arc<dyn PayloadCodec>;
}

impl<T: PayloadCodec> IntoCodec for T {
    fn into_codec(self) -> Arc<dyn PayloadCodec> {
        Arc::new(self)
    }
}

impl<T: PayloadCodec> IntoCodec for Arc<T> {
    fn into_codec(self) -> Arc<dyn PayloadCodec> {
        self
    }
}

impl IntoCodec for Arc<dyn PayloadCodec> {
    fn into_codec(self) -> Arc<dyn PayloadCodec> {
        self
    }
}

/// Part of an execution that is sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// The execution's input.
    Input,
    /// The output of an execution without a parent.
    Output,
    /// The error of an execution without a parent.
    Error,
    /// The report of a blocked execution.
    Report,
    /// The value of a message to the execution.
    Message,
    /// The value of this operation, which is also the output of the execution it invoked.
    Value(OperationId),
    /// The error of this operation, which is also the error of the execution it invoked.
    Failure(OperationId),
}

impl Subject {
    const fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Error => "error",
            Self::Report => "report",
            Self::Message => "message",
            Self::Value(_) => "value",
            Self::Failure(_) => "failure",
        }
    }

    const fn operation(self) -> Option<OperationId> {
        match self {
            Self::Value(id) | Self::Failure(id) => Some(id),
            Self::Input | Self::Output | Self::Error | Self::Report | Self::Message => None,
        }
    }
}

/// Context of sealed bytes: their execution, and what they are in it.
///
/// An authenticating codec binds the bytes to [`associated_data`](Self::associated_data), so that bytes
/// sealed in one context do not open in another.
#[derive(Debug, Clone, Copy)]
pub struct SealContext<'a> {
    execution: &'a ExecutionId,
    subject: Subject,
    codec: &'a str,
    record: Option<&'a Record>,
    parent: Option<&'a Parent>,
}

impl<'a> SealContext<'a> {
    /// Returns the context of `subject` in `execution`. `codec` is the recorded name, such as
    /// `json+aes-gcm:k1`.
    pub fn new(execution: &'a ExecutionId, subject: Subject, codec: &'a str) -> Self {
        Self {
            execution,
            subject,
            codec,
            record: None,
            parent: None,
        }
    }

    /// Sets the record by whose display name messages refer to the operation.
    pub(super) fn in_record(mut self, record: Option<&'a Record>) -> Self {
        self.record = record;
        self
    }

    /// Binds the context to the operation that waits for the execution.
    pub(super) fn for_parent(mut self, parent: Option<&'a Parent>) -> Self {
        self.parent = parent;
        self
    }

    /// Returns the execution that the bytes belong to.
    pub fn execution(&self) -> &ExecutionId {
        self.execution
    }

    /// Returns the part of the execution that the bytes are.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// Returns the recorded name: the codec of the value, `+`, and the payload codec.
    pub fn codec(&self) -> &str {
        self.codec
    }

    /// Returns the context as bytes. They differ between contexts and are the same in every release.
    pub fn associated_data(&self) -> Vec<u8> {
        let mut data = b"durable sealed 1".to_vec();
        for text in [self.execution.as_str(), self.codec, self.subject.word()] {
            data.extend((text.len() as u64).to_be_bytes());
            data.extend(text.as_bytes());
        }
        if let Some(id) = self.subject.operation() {
            data.extend(id.as_bytes());
        }
        if let Some(parent) = self.parent {
            data.extend((parent.execution.as_str().len() as u64).to_be_bytes());
            data.extend(parent.execution.as_str().as_bytes());
            data.extend(parent.seq.to_be_bytes());
            data.extend(parent.operation.as_bytes());
        }
        data
    }
}

/// Describes the bytes for messages: ``the value of `load[3]` in execution `a` ``.
impl fmt::Display for SealContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.subject, self.record) {
            (Subject::Value(_), Some(record)) => {
                write!(f, "the value of `{}`", record.display_name())?
            }
            (Subject::Failure(_), Some(record)) => {
                write!(f, "the error of `{}`", record.display_name())?;
            }
            (Subject::Value(id), None) => write!(f, "the value of operation {id}")?,
            (Subject::Failure(id), None) => write!(f, "the error of operation {id}")?,
            (subject, _) => write!(f, "the {}", subject.word())?,
        }
        write!(f, " in execution `{}`", self.execution)
    }
}
