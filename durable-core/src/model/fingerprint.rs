//! Fingerprints of inputs, which detect that an operation is called with another input than the recorded one.

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::OperationId;
use crate::model::json::{self, Exact};

/// Fingerprint of the input of an operation: the value that its call site gives as `with = …`.
///
/// The first 128 bits of SHA-256 over the operation's id and the value as JSON, with the fields of objects
/// sorted by name. The iteration order of a map therefore makes no difference, but that of a set does.
/// Fingerprints are persisted, so they are computed the same way in every release:
///
/// ```
/// use durable_core::{Fingerprint, OperationId};
///
/// let order = Fingerprint::of(OperationId::ROOT, &("order", 7))?;
/// assert_eq!(order.to_string(), "5706b2b1a7c3dcc6e8778770738cfff2");
/// # Ok::<(), durable_core::BoxError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Computes the fingerprint of `input` for this operation.
    ///
    /// # Errors
    ///
    /// Fails for a value that JSON cannot represent.
    pub fn of<T: Serialize + ?Sized>(
        operation: OperationId,
        input: &T,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self::of_value(operation, &to_exact(input)?, exact))
    }

    fn of_value(operation: OperationId, value: &Exact, number: Number) -> Self {
        let mut hash = Sha256::new();
        hash.update(operation.as_bytes());
        add(&mut hash, value, number);
        let digest = hash.finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(bytes)
    }

    /// Returns the 16 bytes of the fingerprint.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Creates a fingerprint from the bytes that a store returned.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

fn to_exact<T: Serialize + ?Sized>(input: &T) -> Result<Exact, serde_json::Error> {
    Exact::parse(&serde_json::to_vec(input)?)
}

/// Input given as `with` at a call site, as JSON, or the error that prevented its encoding.
#[derive(Debug, Clone)]
pub struct Input(Result<Exact, String>);

/// Encodes the input given at a call site.
pub fn input<T: Serialize + ?Sized>(value: &T) -> Input {
    Input(to_exact(value).map_err(|error| error.to_string()))
}

impl Input {
    /// Computes the fingerprint for this operation.
    pub(crate) fn fingerprint(&self, operation: OperationId) -> Result<Fingerprint, &str> {
        let value = self.0.as_ref().map_err(String::as_str)?;
        Ok(Fingerprint::of_value(operation, value, exact))
    }

    /// Returns whether `fingerprint` was recorded for this input by a release that rounded numbers.
    pub(crate) fn matches_rounded(&self, operation: OperationId, fingerprint: Fingerprint) -> bool {
        let former = |value| Fingerprint::of_value(operation, value, former);
        self.0
            .as_ref()
            .is_ok_and(|value| former(value) == fingerprint)
    }
}

/// Formats the digits of a JSON number for a fingerprint.
type Number = fn(&str) -> String;

/// Keeps the digits of integers, and formats fractions as the shortest decimal of the same `f64`.
fn exact(digits: &str) -> String {
    match digits.contains(['.', 'e', 'E']) {
        true => digits.parse().map_or_else(|_| digits.to_owned(), shortest),
        false => digits.to_owned(),
    }
}

fn shortest(number: f64) -> String {
    serde_json::Number::from_f64(number).map_or_else(String::new, |number| number.to_string())
}

/// Formats a number like releases that rounded fractions and integers beyond 64 bits. They multiplied or
/// divided once by a power of ten, which may miss the nearest `f64`.
fn former(digits: &str) -> String {
    if json::is_whole(digits) {
        return digits.to_owned();
    }
    let (number, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (mut significand, mut scale) = (0_u64, exponent);
    let mut beyond = false;
    for (digit, is_fraction) in whole
        .bytes()
        .map(|digit| (digit, false))
        .chain(fraction.bytes().map(|digit| (digit, true)))
        .filter(|(digit, _)| digit.is_ascii_digit())
    {
        let longer = significand.checked_mul(10);
        let longer = longer.and_then(|longer| longer.checked_add(u64::from(digit - b'0')));
        match longer.filter(|_| !beyond) {
            Some(longer) => {
                significand = longer;
                scale -= i32::from(is_fraction);
            }
            None => {
                beyond = true;
                scale += i32::from(!is_fraction);
            }
        }
    }
    let value = scaled(significand as f64, scale);
    shortest(if number.starts_with('-') {
        -value
    } else {
        value
    })
}

fn scaled(mut value: f64, mut exponent: i32) -> f64 {
    while exponent < -308 && value != 0.0 {
        value /= 1e308;
        exponent += 308;
    }
    let power: f64 = format!("1e{}", exponent.unsigned_abs())
        .parse()
        .unwrap_or(f64::INFINITY);
    if exponent < 0 {
        value / power
    } else {
        value * power
    }
}

/// Hashes each value with its type and length in front, so that no two values collide.
fn add(hash: &mut Sha256, value: &Exact, number: Number) {
    let mut text = |kind: u8, text: &str| {
        hash.update([kind]);
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    match value {
        Exact::Null => text(0, ""),
        Exact::Bool(value) => text(1, if *value { "1" } else { "0" }),
        Exact::Number(digits) => text(2, &number(digits)),
        Exact::Text(value) => text(3, value),
        Exact::List(items) => {
            text(4, &items.len().to_string());
            items.iter().for_each(|item| add(hash, item, number));
        }
        Exact::Object(fields) => {
            text(5, &fields.len().to_string());
            for (name, field) in json::sorted(fields) {
                add(hash, &Exact::Text(name.to_owned()), number);
                add(hash, field, number);
            }
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T: Serialize>(value: T) -> Fingerprint {
        Fingerprint::of(OperationId::ROOT, &value).unwrap()
    }

    #[test]
    fn numbers_that_differ_in_the_last_digit_have_different_fingerprints() {
        assert_ne!(of(1_u128 << 100), of((1_u128 << 100) + 1));
        assert_ne!(of(206.850_666_389_916_54), of(206.850_666_389_916_57));
        assert_ne!(of(i128::MIN), of(i128::MIN + 1));
        // The notation of a fraction makes no difference.
        assert_eq!(of(1e14_f32), of(1e14_f64));
        assert_eq!(of(-0.0), of(-0.0_f32));
    }

    #[test]
    fn fingerprints_of_releases_that_rounded_numbers_are_recognised() {
        // Rounded as by the JSON parser of those releases.
        for (value, recorded) in [
            (435.238_373_872_940_77, 435.238_373_872_940_8),
            (206.850_666_389_916_54, 206.850_666_389_916_57),
            (-173.382_907_716_128_59, -173.382_907_716_128_6),
        ] {
            assert!(
                input(&value).matches_rounded(OperationId::ROOT, of(recorded)),
                "{value}"
            );
            assert!(
                !input(&value).matches_rounded(OperationId::ROOT, of(value + 1.0)),
                "{value}"
            );
        }
        let wide = (1_u128 << 100) + 1;
        assert!(input(&wide).matches_rounded(OperationId::ROOT, of(1.267_650_600_228_229_3e30)));
        for value in [0.1, 1e-310, f64::MAX, -0.0, 5e-324] {
            assert!(
                input(&value).matches_rounded(OperationId::ROOT, of(value)),
                "{value}"
            );
        }
    }
}
