//! A codec together with its functions for one type of value.

use std::any::type_name;

use crate::engine::{Outcome, Unreadable};
use crate::model::codec::Codec;
use crate::model::error::{BoxError, ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::runtime::failure::Failure;
use crate::runtime::registered::Operation;

/// Codec bound to the value type of a call site.
///
/// Only [`BoundCodec::new`] requires `Codec<T>`. If every method of an operation required it, one value without a
/// codec would be reported many times.
pub(crate) struct BoundCodec<T, C> {
    codec: C,
    name: fn(&C) -> &'static str,
    encode: fn(&C, &T) -> Result<Vec<u8>, BoxError>,
    decode: fn(&C, &[u8]) -> Result<T, BoxError>,
}

impl<T, C> BoundCodec<T, C> {
    pub(crate) fn new(codec: C) -> Self
    where
        C: Codec<T>,
    {
        Self {
            codec,
            name: C::name,
            encode: C::encode,
            decode: C::decode,
        }
    }

    /// Encodes a value. An error or panic of the codec is a failure of the operation.
    pub(crate) fn encode(&self, value: &T) -> Result<Payload, Failure> {
        let encoded = crate::runtime::panic::catch(|| (self.encode)(&self.codec, value))
            .unwrap_or_else(|panic| Err(panic.into()));
        match encoded {
            Ok(bytes) => Ok(Payload {
                codec: self.name().into(),
                data: bytes.into(),
            }),
            Err(error) => Err(Failure::of_engine(
                ErrorKind::Codec,
                format!(
                    "its value of type `{}` cannot be encoded: {error}",
                    type_name::<T>()
                ),
            )),
        }
    }

    /// Reads an outcome that this handler has recorded: the value, or the recorded error. Pass the result to
    /// [`Operation::readable`].
    pub(crate) fn read(&self, outcome: Outcome) -> Result<Result<T, OperationError>, Unreadable> {
        match outcome {
            Outcome::Value(payload) => self.read_part("value", &payload).map(Ok),
            Outcome::Error(error) => Ok(Err(error)),
            Outcome::Done => Err(Unreadable::missing("value", type_name::<T>(), self.name())),
        }
    }

    /// Reads the `part` of a record that this handler has written.
    pub(crate) fn read_part(&self, part: &'static str, payload: &Payload) -> Result<T, Unreadable> {
        // Some stores keep no names of codecs.
        if !payload.codec.is_empty() && payload.codec != self.name() {
            let (wanted, codec) = (type_name::<T>(), self.name());
            return Err(Unreadable::of_another_codec(part, wanted, codec, payload));
        }
        self.read_any(part, payload)
    }

    /// Reads the result of an execution of another handler of this build, whichever codec wrote it.
    pub(crate) fn read_result(
        &self,
        outcome: Outcome,
    ) -> Result<Result<T, OperationError>, Unreadable> {
        match outcome {
            Outcome::Value(payload) => self.read_any("value", &payload).map(Ok),
            Outcome::Error(error) => Ok(Err(error)),
            Outcome::Done => self.read_any("value", &Payload::json("")).map(Ok),
        }
    }

    /// Reads a value from an external party, whichever codec wrote it. A value of another type is an error of the
    /// call. Without a payload, zero bytes are decoded.
    pub(crate) fn decode_foreign(
        &self,
        operation: &Operation<'_>,
        outcome: Outcome,
    ) -> Result<T, OperationError> {
        let payload = match outcome {
            Outcome::Value(payload) => payload,
            Outcome::Error(error) => return Err(error),
            Outcome::Done => Payload::json(""),
        };
        self.decode(&payload.data).map_err(|error| {
            let message = format!(
                "the {} bytes of the answer do not decode as `{}`: {error}",
                payload.len(),
                type_name::<T>(),
            );
            if let Some(observer) = operation.observer() {
                observer.undecodable(&operation.observed(), &message);
            }
            let operation = operation.lock().engine.path(operation.op);
            OperationError::new(operation, ErrorKind::Codec, message)
        })
    }

    fn read_any(&self, part: &'static str, payload: &Payload) -> Result<T, Unreadable> {
        self.decode(&payload.data).map_err(|error| {
            let (wanted, codec) = (type_name::<T>(), self.name());
            Unreadable::undecodable(part, wanted, codec, payload, &error.to_string())
        })
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError> {
        crate::runtime::panic::catch(|| (self.decode)(&self.codec, bytes))
            .unwrap_or_else(|panic| Err(panic.into()))
    }

    fn name(&self) -> &'static str {
        (self.name)(&self.codec)
    }
}
