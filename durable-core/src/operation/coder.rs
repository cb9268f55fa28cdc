//! A codec together with its functions for one type of value.

use crate::codec::Codec;
use crate::context::Claim;
use crate::engine::Outcome;
use crate::error::{BoxError, ErrorKind, OperationError};
use crate::failure::Failure;
use crate::record::Payload;

/// How the values of one call site are encoded.
///
/// Only making one asks for `Codec<T>`. Were it a bound on every method of an operation, each of
/// them would report the one value that has no codec.
pub(super) struct Coder<T, C> {
    codec: C,
    name: fn(&C) -> &'static str,
    encode: fn(&C, &T) -> Result<Vec<u8>, BoxError>,
    decode: fn(&C, &[u8]) -> Result<T, BoxError>,
}

impl<T, C> Coder<T, C> {
    pub(super) fn new(codec: C) -> Self
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

    pub(super) fn encode(&self, value: &T) -> Result<Payload, Failure> {
        let encoded = crate::panic::catch(|| (self.encode)(&self.codec, value))
            .unwrap_or_else(|panic| Err(panic.into()));
        match encoded {
            Ok(bytes) => Ok(Payload {
                codec: (self.name)(&self.codec).into(),
                data: bytes.into(),
            }),
            Err(error) => Err(Failure::of_engine(
                ErrorKind::Codec,
                format!(
                    "its value of type `{}` cannot be encoded: {error}",
                    std::any::type_name::<T>()
                ),
            )),
        }
    }

    /// The value behind a settled outcome.
    pub(super) fn decode(&self, claim: &Claim<'_>, outcome: Outcome) -> Result<T, OperationError> {
        let payload = match outcome {
            Outcome::Value(payload) => payload,
            Outcome::Error(error) => return Err(error),
            Outcome::Done => return Err(codec_error(claim, "no value is recorded")),
        };
        let name = (self.name)(&self.codec);
        // Some stores keep no names of codecs.
        if !payload.codec.is_empty() && payload.codec != name {
            let message = format!(
                "the value was recorded by the codec `{}`, the code now reads it with `{name}`",
                payload.codec
            );
            return Err(codec_error(claim, &message));
        }
        self.decode_any(claim, &payload)
    }

    /// The value behind a settled outcome that somebody else encoded, with whatever codec. Without
    /// a payload there are no bytes.
    pub(super) fn decode_foreign(
        &self,
        claim: &Claim<'_>,
        outcome: Outcome,
    ) -> Result<T, OperationError> {
        match outcome {
            Outcome::Value(payload) => self.decode_any(claim, &payload),
            Outcome::Error(error) => Err(error),
            Outcome::Done => self.decode_any(claim, &Payload::json("")),
        }
    }

    /// The value behind a payload, whoever encoded it.
    fn decode_any(&self, claim: &Claim<'_>, payload: &Payload) -> Result<T, OperationError> {
        (self.decode)(&self.codec, &payload.data).map_err(|error| {
            let wanted = std::any::type_name::<T>();
            let recorded = claim.lock().engine.record(claim.op).value_type.clone();
            let message = match recorded.filter(|recorded| recorded != wanted) {
                Some(recorded) => {
                    format!(
                        "it was recorded as `{recorded}`, the code now wants `{wanted}`: {error}"
                    )
                }
                None => format!(
                    "the recorded value of {} bytes does not decode as `{wanted}`: {error}",
                    payload.len(),
                ),
            };
            codec_error(claim, &message)
        })
    }
}

fn codec_error(claim: &Claim<'_>, message: &str) -> OperationError {
    if let Some(observer) = claim.observer() {
        observer.undecodable(claim, message);
    }
    let operation = claim.lock().engine.path(claim.op);
    OperationError::new(operation, ErrorKind::Codec, message)
}
