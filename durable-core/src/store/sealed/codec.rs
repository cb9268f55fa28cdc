//! What seals and opens bytes, and what it is told about them.

use std::fmt;
use std::sync::Arc;

use crate::model::error::BoxError;
use crate::model::record::Record;
use crate::store::Parent;
use crate::{ExecutionId, OperationId};

/// Changes what a store keeps of values: encrypts, compresses, or both.
///
/// A codec works on encoded bytes, whatever [`Codec`](crate::Codec) encoded them, and belongs to the
/// store, not to the function: see [`SealedStore`](super::SealedStore).
///
/// ```
/// use durable_core::BoxError;
/// use durable_core::store::{PayloadCodec, SealContext};
///
/// /// Keeps the casual reader out, and nobody else.
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
    /// What it does and, after a `:`, with which key or setting: `aes-gcm:k1`. Kept beside
    /// everything it seals, which is how it is found again; so another key has another name, and
    /// a name is never used anew. At most 64 bytes of printable ASCII without spaces, `+` and
    /// `` ` ``.
    fn name(&self) -> &str;

    /// The bytes to keep.
    ///
    /// # Errors
    ///
    /// Nothing is written; the checkpoint or start fails with
    /// [`StoreErrorKind::Unusable`](super::StoreErrorKind::Unusable). The error must not quote the
    /// bytes.
    fn seal(&self, context: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError>;

    /// The bytes that were given to [`seal`](Self::seal), in an equal context.
    ///
    /// # Errors
    ///
    /// The key is wrong, or the bytes or their place are not what was sealed. What is stored is
    /// reported as [`StoreErrorKind::Corrupt`](super::StoreErrorKind::Corrupt) and left as it is.
    fn open(&self, context: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError>;

    /// The most that `len` bytes may take once sealed, by which the limits of the store shrink.
    /// Never less for more bytes.
    fn sealed_len(&self, len: usize) -> usize;
}

/// What can be given as a codec: codecs of one type as they are, of several types as
/// `Arc<dyn PayloadCodec>`.
pub trait IntoCodec {
    /// The codec, shared.
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

/// What of an execution is sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// The execution's input.
    Input,
    /// The output of an execution that no operation waits for.
    Output,
    /// The error with which such an execution ended.
    Error,
    /// Why the execution is blocked.
    Report,
    /// The value of this operation; also as the output of the execution it waited for.
    Value(OperationId),
    /// The error of this operation; also as that of the execution it waited for.
    Failure(OperationId),
}

impl Subject {
    const fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Error => "error",
            Self::Report => "report",
            Self::Value(_) => "value",
            Self::Failure(_) => "failure",
        }
    }

    const fn operation(self) -> Option<OperationId> {
        match self {
            Self::Value(id) | Self::Failure(id) => Some(id),
            Self::Input | Self::Output | Self::Error | Self::Report => None,
        }
    }
}

/// What the bytes are, and whose.
///
/// A codec that authenticates binds them to [`associated_data`](Self::associated_data), so that
/// what was sealed in one place does not open in another.
#[derive(Debug, Clone, Copy)]
pub struct SealContext<'a> {
    execution: &'a ExecutionId,
    subject: Subject,
    codec: &'a str,
    record: Option<&'a Record>,
    parent: Option<&'a Parent>,
}

impl<'a> SealContext<'a> {
    /// The context of `subject` in `execution`, recorded under the name `codec`
    /// (`json+aes-gcm:k1`).
    pub fn new(execution: &'a ExecutionId, subject: Subject, codec: &'a str) -> Self {
        Self {
            execution,
            subject,
            codec,
            record: None,
            parent: None,
        }
    }

    /// The same in words that name the operation as histories write it.
    pub(super) fn in_record(mut self, record: Option<&'a Record>) -> Self {
        self.record = record;
        self
    }

    /// The same of an execution that this operation waits for.
    pub(super) fn for_parent(mut self, parent: Option<&'a Parent>) -> Self {
        self.parent = parent;
        self
    }

    /// The execution the bytes belong to.
    pub fn execution(&self) -> &ExecutionId {
        self.execution
    }

    /// What of the execution they are.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// The name under which they are recorded: of the codec of the value and of the sealing one.
    pub fn codec(&self) -> &str {
        self.codec
    }

    /// The context as bytes: different for different contexts and the same in every release.
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

/// As messages name it: ``the value of `load[3]` in execution `a` ``.
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
