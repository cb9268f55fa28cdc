//! A watch on what is serialized: finds values that the format would not give back.
//!
//! Most values need no second look. One that is in doubt (NaN, `Some` around nothing) is decoded again and compared:
//! some types read `null` as what they wrote it for, and those are none of our business.

mod parts;
mod serializer;

use std::cell::RefCell;
use std::fmt;

use serde::Serialize;

pub(super) use serializer::Watched;

use crate::model::error::BoxError;

/// The format that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    #[cfg(feature = "msgpack")]
    MessagePack,
}

impl Format {
    /// Whether it has no form for NaN and infinities.
    fn is_finite(self) -> bool {
        self == Self::Json
    }

    /// Whether it writes a unit struct as it writes `None`.
    fn nullifies_unit_structs(self) -> bool {
        self == Self::Json
    }
}

/// A value that may not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// The bits of a NaN or an infinity.
    NonFinite(u64),
    /// `Some` around a value that is written as `None` is.
    SomeOfNothing,
}

/// What is noticed while a value is serialized.
pub(super) struct Watch {
    format: Format,
    stop: Stop,
    doubts: RefCell<Vec<Doubt>>,
    fault: RefCell<Option<Fault>>,
}

/// What ends the serialization with an error.
#[derive(Clone, Copy)]
enum Stop {
    Never,
    /// The doubt with this index.
    At(usize),
    NonFinite,
}

/// What cannot be written, and the way to it from the inside out.
struct Fault {
    what: Lost,
    path: Vec<Part>,
}

enum Part {
    Field(&'static str),
    Index(usize),
    Key(String),
}

impl Watch {
    fn new(format: Format, stop: Stop) -> Self {
        Self {
            format,
            stop,
            doubts: RefCell::default(),
            fault: RefCell::default(),
        }
    }

    /// A watch that ends the serialization at the first NaN or infinity.
    pub(super) fn refusing_non_finite(format: Format) -> Self {
        Self::new(format, Stop::NonFinite)
    }

    /// The serializer, watched.
    pub(super) fn around<S>(&self, serializer: S) -> Watched<'_, S> {
        Watched::new(serializer, self)
    }

    #[cold]
    fn doubt<E: serde::ser::Error>(&self, doubt: Doubt) -> Result<(), E> {
        let mut doubts = self.doubts.borrow_mut();
        let stops = match self.stop {
            Stop::Never => false,
            Stop::At(index) => index == doubts.len(),
            Stop::NonFinite => matches!(doubt, Doubt::NonFinite(_)),
        };
        doubts.push(doubt);
        if !stops {
            return Ok(());
        }
        self.fail(match doubt {
            Doubt::NonFinite(bits) if f64::from_bits(bits).is_nan() => Lost::Nan,
            Doubt::NonFinite(_) => Lost::Infinity,
            Doubt::SomeOfNothing => Lost::SomeOfNothing,
        });
        Err(E::custom("lost"))
    }

    /// Notes what cannot be written, unless that is known.
    fn fail(&self, what: Lost) {
        let path = Vec::new();
        self.fault.borrow_mut().get_or_insert(Fault { what, path });
    }

    /// An error comes out of this part of a value.
    #[cold]
    fn out_of(&self, part: impl FnOnce() -> Part) {
        if let Some(fault) = &mut *self.fault.borrow_mut() {
            fault.path.push(part());
        }
    }

    /// Why the value was not written, given the serializer's own error.
    pub(super) fn unfit(self, error: impl fmt::Display) -> Unfit {
        match self.fault.into_inner() {
            None => Unfit::Other(error.to_string()),
            Some(Fault { what, path }) => Unfit::Lost {
                what,
                at: written(&path),
            },
        }
    }
}

/// The path as code would write it: `orders[3].price`.
fn written(path: &[Part]) -> String {
    let mut text = String::new();
    for part in path.iter().rev() {
        match part {
            Part::Field(name) if text.is_empty() => text.push_str(name),
            Part::Field(name) => text.extend([".", name]),
            Part::Index(index) => text.push_str(&format!("[{index}]")),
            Part::Key(key) => text.extend(["[", key, "]"]),
        }
    }
    text
}

/// What a format does not give back.
#[derive(Debug)]
pub(super) enum Lost {
    Nan,
    Infinity,
    SomeOfNothing,
    /// The key of a map, and the serializer's reason.
    Key(String),
}

/// Why a value cannot be encoded.
#[derive(Debug)]
pub(super) enum Unfit {
    Lost {
        what: Lost,
        at: String,
    },
    /// An error of the value's own.
    Other(String),
}

impl Unfit {
    /// The error for a call site, which may be given another codec.
    pub(super) fn at_call_site(self) -> BoxError {
        self.with_advice(
            "give the call site `codec = durable::MessagePack` (feature `msgpack`), or return another type",
        )
    }

    /// The error for an input or an output, which is always JSON.
    pub(super) fn at_boundary(self) -> BoxError {
        self.with_advice("what a handler takes and returns is JSON, so pass it as an `Option`, a text or a list of pairs")
    }

    fn with_advice(self, advice: &str) -> BoxError {
        match self {
            Self::Other(error) => error.into(),
            Self::Lost {
                what: Lost::SomeOfNothing,
                ..
            } => format!("{self}: say it with an enum of your own").into(),
            Self::Lost { .. } => format!("{self}: {advice}").into(),
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, at) = match self {
            Self::Other(error) => return f.write_str(error),
            Self::Lost { what, at } if at.is_empty() => (what, String::new()),
            Self::Lost { what, at } => (what, format!(" at `{at}`")),
        };
        match what {
            Lost::Nan => write!(f, "NaN{at} cannot be written as JSON"),
            Lost::Infinity => write!(f, "an infinity{at} cannot be written as JSON"),
            Lost::Key(error) => write!(f, "a map key{at} cannot be written as JSON ({error})"),
            Lost::SomeOfNothing => write!(f, "`Some` of nothing{at} would come back as `None`"),
        }
    }
}

/// Encodes the value, or says what of it would not come back.
pub(super) fn encode<T, E>(
    format: Format,
    value: &T,
    write: impl Fn(&T, &Watch) -> Result<Vec<u8>, E>,
    read: impl FnOnce(&[u8]) -> Result<T, BoxError>,
) -> Result<Vec<u8>, Unfit>
where
    T: Serialize,
    E: fmt::Display,
{
    let watch = Watch::new(format, Stop::Never);
    let bytes = match write(value, &watch) {
        Ok(bytes) => bytes,
        Err(error) => return Err(watch.unfit(error)),
    };
    let doubts = watch.doubts.into_inner();
    if doubts.is_empty() {
        return Ok(bytes);
    }
    let again = read(&bytes).map(|back| {
        let watch = Watch::new(format, Stop::Never);
        // What it cannot write is missing among its doubts.
        let _ = write(&back, &watch);
        watch.doubts.into_inner()
    });
    let Some(lost) = first_lost(&doubts, again) else {
        return Ok(bytes);
    };
    // The way to it is known only where an error comes out of it.
    let watch = Watch::new(format, Stop::At(lost));
    match write(value, &watch) {
        Err(error) => Err(watch.unfit(error)),
        Ok(_) => Ok(bytes),
    }
}

/// The index of the first value that was not read back, in whatever order a map is iterated.
fn first_lost(doubts: &[Doubt], again: Result<Vec<Doubt>, BoxError>) -> Option<usize> {
    let Ok(mut again) = again else {
        let is_non_finite = |doubt: &Doubt| matches!(doubt, Doubt::NonFinite(_));
        // Of other errors the decoding of the value tells.
        return doubts.iter().position(is_non_finite);
    };
    doubts.iter().position(|doubt| {
        let same = again.iter().position(|other| other == doubt);
        same.map(|same| again.swap_remove(same)).is_none()
    })
}
