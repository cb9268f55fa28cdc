//! Inspects values while they are serialized, to find those that would not survive a round trip.
//!
//! Most values need no second pass. A suspicious one (NaN, `Some` around nothing) is decoded again and
//! compared, because some types decode `null` to the value they encoded as `null`.

mod compound;
mod serializer;

use std::cell::RefCell;
use std::fmt;

use serde::Serialize;

pub(super) use serializer::InspectingSerializer;

use crate::model::error::BoxError;

/// Format that a value is serialized to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    #[cfg(feature = "msgpack")]
    MessagePack,
}

impl Format {
    /// Returns whether the format cannot represent NaN and infinities.
    fn is_finite(self) -> bool {
        self == Self::Json
    }

    /// Returns whether the format encodes a unit struct like `None`.
    fn nullifies_unit_structs(self) -> bool {
        self == Self::Json
    }
}

/// Value that may not survive a round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// Bits of a NaN or an infinity.
    NonFinite(u64),
    /// `Some` around a value that is encoded like `None`.
    SomeOfNothing,
}

/// Collects suspicious values and the first failure while a value is serialized.
pub(super) struct Inspector {
    format: Format,
    fail_on: FailOn,
    doubts: RefCell<Vec<Doubt>>,
    fault: RefCell<Option<Fault>>,
}

/// Condition that aborts the serialization.
#[derive(Clone, Copy)]
enum FailOn {
    Never,
    /// The suspicious value with this index.
    At(usize),
    NonFinite,
}

/// Value that cannot be encoded, with its path from the innermost part outwards.
struct Fault {
    what: Loss,
    path: Vec<Part>,
}

enum Part {
    Field(&'static str),
    Index(usize),
    Key(String),
}

impl Inspector {
    fn new(format: Format, fail_on: FailOn) -> Self {
        Self {
            format,
            fail_on,
            doubts: RefCell::default(),
            fault: RefCell::default(),
        }
    }

    /// Creates an inspector that aborts the serialization at the first NaN or infinity.
    pub(super) fn refusing_non_finite(format: Format) -> Self {
        Self::new(format, FailOn::NonFinite)
    }

    /// Wraps a serializer.
    pub(super) fn wrap<S>(&self, serializer: S) -> InspectingSerializer<'_, S> {
        InspectingSerializer::new(serializer, self)
    }

    #[cold]
    fn doubt<E: serde::ser::Error>(&self, doubt: Doubt) -> Result<(), E> {
        let mut doubts = self.doubts.borrow_mut();
        let stops = match self.fail_on {
            FailOn::Never => false,
            FailOn::At(index) => index == doubts.len(),
            FailOn::NonFinite => matches!(doubt, Doubt::NonFinite(_)),
        };
        doubts.push(doubt);
        if !stops {
            return Ok(());
        }
        self.fail(match doubt {
            Doubt::NonFinite(bits) if f64::from_bits(bits).is_nan() => Loss::Nan,
            Doubt::NonFinite(_) => Loss::Infinity,
            Doubt::SomeOfNothing => Loss::SomeOfNothing,
        });
        Err(E::custom("lost"))
    }

    /// Keeps the first failure.
    fn fail(&self, what: Loss) {
        let path = Vec::new();
        self.fault.borrow_mut().get_or_insert(Fault { what, path });
    }

    /// Adds a part to the path of the failure, as the error propagates outwards.
    #[cold]
    fn push_path(&self, part: impl FnOnce() -> Part) {
        if let Some(fault) = &mut *self.fault.borrow_mut() {
            fault.path.push(part());
        }
    }

    /// Converts the serializer's error to the reason found by the inspector, if any.
    pub(super) fn into_error(self, error: impl fmt::Display) -> EncodeError {
        match self.fault.into_inner() {
            None => EncodeError::Other(error.to_string()),
            Some(Fault { what, path }) => EncodeError::Loss {
                what,
                at: display_path(&path),
            },
        }
    }
}

/// Formats a path as code would write it: `orders[3].price`.
fn display_path(path: &[Part]) -> String {
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

/// Value that the format cannot represent.
#[derive(Debug)]
pub(super) enum Loss {
    Nan,
    Infinity,
    SomeOfNothing,
    /// Key of a map, with the serializer's error.
    Key(String),
}

/// Reason why a value cannot be encoded.
#[derive(Debug)]
pub(super) enum EncodeError {
    Loss {
        what: Loss,
        at: String,
    },
    /// Error returned by the value's own `Serialize` implementation.
    Other(String),
}

impl EncodeError {
    /// Converts it to the error for a call site, where another codec can be chosen.
    pub(super) fn at_call_site(self) -> BoxError {
        self.with_advice(
            "give the call site `codec = durable::MessagePack` (feature `msgpack`), or return another type",
        )
    }

    /// Converts it to the error for an input or output of a handler, which is always JSON.
    pub(super) fn at_boundary(self) -> BoxError {
        self.with_advice("inputs and outputs of handlers are JSON: use an `Option`, a string or a list of pairs instead")
    }

    fn with_advice(self, advice: &str) -> BoxError {
        match self {
            Self::Other(error) => error.into(),
            Self::Loss {
                what: Loss::SomeOfNothing,
                ..
            } => format!("{self}: use an enum instead").into(),
            Self::Loss { .. } => format!("{self}: {advice}").into(),
        }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, at) = match self {
            Self::Other(error) => return f.write_str(error),
            Self::Loss { what, at } if at.is_empty() => (what, String::new()),
            Self::Loss { what, at } => (what, format!(" at `{at}`")),
        };
        match what {
            Loss::Nan => write!(f, "NaN{at} cannot be written as JSON"),
            Loss::Infinity => write!(f, "an infinity{at} cannot be written as JSON"),
            Loss::Key(error) => write!(f, "a map key{at} cannot be written as JSON ({error})"),
            Loss::SomeOfNothing => {
                write!(f, "`Some` around nothing{at} would be decoded as `None`")
            }
        }
    }
}

/// Encodes a value after checking that it survives a round trip.
pub(super) fn encode<T, E>(
    format: Format,
    value: &T,
    write: impl Fn(&T, &Inspector) -> Result<Vec<u8>, E>,
    read: impl FnOnce(&[u8]) -> Result<T, BoxError>,
) -> Result<Vec<u8>, EncodeError>
where
    T: Serialize,
    E: fmt::Display,
{
    let inspector = Inspector::new(format, FailOn::Never);
    let bytes = match write(value, &inspector) {
        Ok(bytes) => bytes,
        Err(error) => return Err(inspector.into_error(error)),
    };
    let doubts = inspector.doubts.into_inner();
    if doubts.is_empty() {
        return Ok(bytes);
    }
    let again = read(&bytes).map(|back| {
        let inspector = Inspector::new(format, FailOn::Never);
        // Values that cannot be serialized again are missing from the list, and so count as lost.
        let _ = write(&back, &inspector);
        inspector.doubts.into_inner()
    });
    let Some(lost) = first_lost(&doubts, again) else {
        return Ok(bytes);
    };
    // Serializes once more, because only an error yields the path of the value.
    let inspector = Inspector::new(format, FailOn::At(lost));
    match write(value, &inspector) {
        Err(error) => Err(inspector.into_error(error)),
        Ok(_) => Ok(bytes),
    }
}

/// Returns the index of the first suspicious value that is missing after a round trip. Map entries may be in
/// any order.
fn first_lost(doubts: &[Doubt], again: Result<Vec<Doubt>, BoxError>) -> Option<usize> {
    let Ok(mut again) = again else {
        let is_non_finite = |doubt: &Doubt| matches!(doubt, Doubt::NonFinite(_));
        // Other failures surface when the value itself is decoded.
        return doubts.iter().position(is_non_finite);
    };
    doubts.iter().position(|doubt| {
        let same = again.iter().position(|other| other == doubt);
        same.map(|same| again.swap_remove(same)).is_none()
    })
}
