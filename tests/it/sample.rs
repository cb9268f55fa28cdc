//! Random values of every shape that serde supports. `Debug` shows floats by their bits.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[path = "sample/maker.rs"]
mod maker;

use maker::Maker;

/// Selects the floats of a sample.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Floats {
    Finite,
    /// All bit patterns, NaN and infinities included.
    Any,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Double(pub(crate) f64);

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Single(pub(crate) f32);

impl fmt::Debug for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0.to_bits())
    }
}

impl fmt::Debug for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0.to_bits())
    }
}

/// Serializes as bytes: a list in JSON, raw bytes in a binary format.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BlobVisitor)
    }
}

struct BlobVisitor;

impl<'de> Visitor<'de> for BlobVisitor {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
        Ok(Blob(bytes.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Blob, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element()? {
            bytes.push(byte);
        }
        Ok(Blob(bytes))
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Nothing;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Colour {
    Red,
    #[serde(rename = "a \"b\"")]
    Odd,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum External<T> {
    Unit,
    New(T),
    Pair(T, T),
    Fields { a: T, b: Option<T> },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Internal<T> {
    Unit,
    New(Inner<T>),
    Fields { a: T, b: Option<T> },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
pub(crate) enum Adjacent<T> {
    Unit,
    New(T),
    Pair(T, T),
    Fields { a: T },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Untagged<T> {
    Fields { only: T },
    New(T),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Inner<T> {
    inner: T,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Flat<T> {
    first: T,
    #[serde(flatten)]
    rest: Inner<T>,
    #[serde(flatten)]
    more: BTreeMap<String, T>,
}

/// A value in every shape that serde supports.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shapes<T> {
    external: Vec<External<T>>,
    internal: Vec<Internal<T>>,
    adjacent: Vec<Adjacent<T>>,
    untagged: Vec<Untagged<T>>,
    flat: Flat<T>,
    named: BTreeMap<String, T>,
}

/// The shapes that need no buffer in serde. 128-bit integers do not pass through that buffer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plain<T> {
    external: Vec<External<T>>,
    adjacent: Vec<Adjacent<T>>,
    numbered: BTreeMap<i64, T>,
    lettered: BTreeMap<char, T>,
    coloured: BTreeMap<Colour, T>,
    decided: BTreeMap<bool, T>,
}

type Integers = (i8, i16, i32, i64, u8, u16, u32, u64);

/// Values that every codec can represent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    doubles: Vec<Double>,
    singles: Vec<Single>,
    double: Shapes<Double>,
    single: Shapes<Single>,
    integers: Vec<Integers>,
    signed: Shapes<i64>,
    unsigned: Shapes<u64>,
    wide: Plain<i128>,
    wider: Plain<u128>,
    wide_keys: BTreeMap<u128, i128>,
    texts: Vec<String>,
    text: Shapes<String>,
    letters: Vec<char>,
    nothing: ((), Nothing, [u8; 0]),
    maybe: Vec<Option<Double>>,
    bytes: (Vec<u8>, Blob),
    time: Duration,
    outcome: Result<Double, String>,
}

/// Values that JSON cannot represent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Binary {
    sample: Sample,
    by_pair: BTreeMap<(i32, String), Double>,
    by_option: BTreeMap<Option<u8>, Single>,
    by_list: BTreeMap<Vec<u8>, Nothing>,
    by_number: Inner<Untagged<BTreeMap<u64, u8>>>,
}

/// Random numbers from a seed that is printed and can be set in the environment.
pub(crate) fn random() -> fastrand::Rng {
    let seed = match std::env::var("DURABLE_SEED") {
        Ok(seed) => seed.parse().expect("DURABLE_SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    println!("DURABLE_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

impl Sample {
    /// The finite sample of this seed.
    pub(crate) fn of(seed: u64) -> Self {
        Self::with(seed, Floats::Finite)
    }

    pub(crate) fn with(seed: u64, floats: Floats) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Maker { random, floats }.sample()
    }
}

impl Binary {
    /// The sample of this seed, with every float.
    pub(crate) fn of(seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        let floats = Floats::Any;
        Maker { random, floats }.binary()
    }
}

/// The bytes of this seed.
pub(crate) fn bytes_of(seed: u64) -> Vec<u8> {
    let random = fastrand::Rng::with_seed(seed);
    let floats = Floats::Any;
    Maker { random, floats }.bytes()
}

/// Counts how often a value was seen at each place.
pub(crate) fn count(seen: &[(String, String)]) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for (place, _) in seen {
        *counts.entry(&**place).or_default() += 1;
    }
    counts
}
