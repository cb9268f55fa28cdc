//! Codecs for the input and output of another durable function.
//!
//! The definition of a function checks that its types can be stored. If each call checked it again, one mistake would be
//! several errors, so the default codec here only requires a durable function.

use crate::model::codec::{Codec, Json};
use crate::model::error::BoxError;
use crate::runtime::handler::{Durable, HandlerInput, HandlerOutput};

/// Codec given at a call site.
#[derive(Debug)]
pub struct CustomCodec<C>(C);

/// Wraps the codec given at a call site.
pub fn custom_codec<C>(codec: C) -> CustomCodec<C> {
    CustomCodec(codec)
}

#[diagnostic::do_not_recommend]
impl<T, C: Codec<T>> Codec<T> for CustomCodec<C> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn encode(&self, value: &T) -> Result<Vec<u8>, BoxError> {
        self.0.encode(value)
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError> {
        self.0.decode(bytes)
    }
}

/// Default codec for inputs.
#[derive(Debug)]
pub struct JsonInput;

#[diagnostic::do_not_recommend]
impl<T: HandlerInput> Codec<T> for JsonInput {
    fn name(&self) -> &'static str {
        Codec::<()>::name(&Json)
    }

    fn encode(&self, value: &T) -> Result<Vec<u8>, BoxError> {
        value.to_json_at_call_site()
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError> {
        // As with `Json`, no bytes stand for `null`.
        T::from_json(if bytes.is_empty() { b"null" } else { bytes })
    }
}

/// Default codec for outputs.
#[derive(Debug)]
pub struct JsonOutput;

#[diagnostic::do_not_recommend]
impl<T: HandlerOutput> Codec<T> for JsonOutput {
    fn name(&self) -> &'static str {
        Codec::<()>::name(&Json)
    }

    fn encode(&self, value: &T) -> Result<Vec<u8>, BoxError> {
        value.to_json_at_call_site()
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError> {
        // As with `Json`, no bytes stand for `null`.
        T::from_json(if bytes.is_empty() { b"null" } else { bytes })
    }
}

/// Codec that writes the input of `H`.
pub trait InputCodec<H: Durable> {
    /// Type of the codec.
    type Codec: Codec<H::Input>;

    /// Returns the codec.
    fn input_codec(self) -> Self::Codec;
}

impl<H: Durable> InputCodec<H> for Json {
    type Codec = JsonInput;

    fn input_codec(self) -> JsonInput {
        JsonInput
    }
}

impl<H: Durable, C: Codec<H::Input>> InputCodec<H> for CustomCodec<C> {
    type Codec = Self;

    fn input_codec(self) -> Self {
        self
    }
}

/// Codec that reads the output of `H`.
pub trait OutputCodec<H: Durable> {
    /// Type of the codec.
    type Codec: Codec<H::Output> + Send + Sync;

    /// Returns the codec.
    fn output_codec(self) -> Self::Codec;
}

impl<H: Durable> OutputCodec<H> for Json {
    type Codec = JsonOutput;

    fn output_codec(self) -> JsonOutput {
        JsonOutput
    }
}

impl<H: Durable, C: Codec<H::Output> + Send + Sync> OutputCodec<H> for CustomCodec<C> {
    type Codec = Self;

    fn output_codec(self) -> Self {
        self
    }
}
