//! JSON values that keep the digits of numbers and the order of fields.
//!
//! `serde_json::Value` rounds numbers beyond 64 bits to the nearest `f64` and sorts the fields of objects.

use std::fmt;
use std::ops::Index;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

/// Most levels of arrays and objects in a value. `serde_json` reads values of 127 levels; files of histories wrap such
/// values in a few more. Parsing, comparing and dropping a value recurse, so without a limit a text could overflow the stack.
const MAX_DEPTH: usize = 256;

/// JSON value that keeps the digits of numbers and the order of fields.
///
/// Two values are equal if they mean the same, whatever the order of fields or the notation of fractions.
#[derive(Debug, Clone)]
pub enum Exact {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number with its digits as written.
    Number(String),
    /// A string, without quotes.
    Text(String),
    /// An array.
    List(Vec<Exact>),
    /// An object.
    Object(Vec<(String, Exact)>),
}

impl Exact {
    /// Parses JSON text.
    ///
    /// # Errors
    ///
    /// Fails for text that is not valid JSON, and for arrays and objects that are nested more than 256 levels deep.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Returns whether a parser that keeps 64-bit integers and rounds other numbers to `f64` may change a
    /// number in it.
    pub fn has_fractions(&self) -> bool {
        match self {
            Self::Number(digits) => !is_whole(digits),
            Self::List(items) => items.iter().any(Self::has_fractions),
            Self::Object(fields) => fields.iter().any(|(_, field)| field.has_fractions()),
            Self::Null | Self::Bool(_) | Self::Text(_) => false,
        }
    }

    /// Returns the content of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the value of a 64-bit unsigned integer.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// Returns the value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the items of an array.
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Parses a value inside of `depth` arrays and objects.
    fn of(raw: &RawValue, depth: usize) -> Result<Self, serde_json::Error> {
        let text = raw.get();
        let is_nested = matches!(text.as_bytes().first(), Some(b'[' | b'{'));
        if is_nested && depth == MAX_DEPTH {
            return Err(de::Error::custom(format_args!(
                "arrays and objects are nested more than {MAX_DEPTH} levels deep"
            )));
        }
        Ok(match text.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Bool(serde_json::from_str(text)?),
            Some(b'"') => Self::Text(serde_json::from_str(text)?),
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                let items = items.into_iter().map(|item| Self::of(item, depth + 1));
                Self::List(items.collect::<Result<_, _>>()?)
            }
            Some(b'{') => {
                let Fields(fields) = serde_json::from_str(text)?;
                let fields = fields.into_iter();
                let fields = fields.map(|(name, field)| Ok((name, Self::of(field, depth + 1)?)));
                Self::Object(fields.collect::<Result<_, serde_json::Error>>()?)
            }
            _ => Self::Number(text.to_owned()),
        })
    }
}

/// Returns whether the number is an integer of 64 bits.
pub(crate) fn is_whole(digits: &str) -> bool {
    digits.parse::<u64>().is_ok() || digits.parse::<i64>().is_ok_and(|number| number != 0)
}

impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b || is_same_fraction(a, b),
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => sorted(a) == sorted(b),
            _ => false,
        }
    }
}

fn is_same_fraction(a: &str, b: &str) -> bool {
    let bits = |digits: &str| {
        let is_fraction = digits.contains(['.', 'e', 'E']);
        let number = digits.parse::<f64>().ok().filter(|_| is_fraction);
        number.map(f64::to_bits)
    };
    bits(a).is_some_and(|a| Some(a) == bits(b))
}

/// Sorts the fields by name.
pub(crate) fn sorted(fields: &[(String, Exact)]) -> Vec<(&str, &Exact)> {
    let mut sorted: Vec<_> = fields
        .iter()
        .map(|(name, field)| (&**name, field))
        .collect();
    sorted.sort_by_key(|(name, _)| *name);
    sorted
}

/// Returns a field of an object, or `null` if there is none.
impl Index<&str> for Exact {
    type Output = Self;

    fn index(&self, name: &str) -> &Self {
        let fields = match self {
            Self::Object(fields) => &fields[..],
            _ => &[],
        };
        let field = fields.iter().find(|(known, _)| known == name);
        field.map_or(&Self::Null, |(_, field)| field)
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(digits) => {
                let raw = RawValue::from_string(digits.clone()).map_err(S::Error::custom)?;
                raw.serialize(serializer)
            }
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, field) in fields {
                    map.serialize_entry(name, field)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::of(&raw, 0).map_err(de::Error::custom)
    }
}

/// Formats the value as JSON without white space.
impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

/// Fields of an object, parsed one level deep.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
        let mut fields = Vec::new();
        while let Some((name, field)) = map.next_entry::<String, &RawValue>()? {
            fields.push((name, field));
        }
        Ok(Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Exact {
        Exact::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn digits_and_order_are_kept() {
        let text = r#"{"b":340282366920938463463374607431768211455,"a":[1.10,-0.0,1e400,null,true,"\u0000\"é"]}"#;
        assert_eq!(parse(text).to_string(), text);
        let spread = parse(" { \"b\" : [ 1 , 2 ] }\n");
        assert_eq!(spread.to_string(), r#"{"b":[1,2]}"#);
        assert_eq!(spread["b"].as_list().unwrap()[1].as_u64(), Some(2));
        assert!(spread["c"]["d"].is_null());
        assert!(Exact::parse(b"{\"a\":}").is_err());
    }

    #[test]
    fn the_depth_of_nested_values_is_limited() {
        let nested = |levels: usize| {
            let lists = "[".repeat(levels - 1) + "{\"a\":1}" + &"]".repeat(levels - 1);
            Exact::parse(lists.as_bytes())
        };
        let deepest = nested(MAX_DEPTH).unwrap();
        assert_eq!(deepest, deepest.clone());
        assert_eq!(parse(&deepest.to_string()), deepest);
        for levels in [MAX_DEPTH + 1, 10_000] {
            let error = nested(levels).unwrap_err().to_string();
            assert!(error.contains("more than 256 levels deep"), "{error}");
        }
    }

    #[test]
    fn values_with_the_same_meaning_are_equal() {
        assert_eq!(parse(r#"{"a":1.5,"b":2}"#), parse(r#"{"b":2,"a":1.50}"#));
        for (a, b) in [
            ("1", "1.0"),
            (
                "1267650600228229401496703205376",
                "1267650600228229401496703205377",
            ),
            ("[1,2]", "[2,1]"),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            ("0.0", "-0.0"),
        ] {
            assert_ne!(parse(a), parse(b));
        }
    }

    #[test]
    fn numbers_that_other_parsers_may_round_are_detected() {
        for digits in [
            "1.5",
            "1e3",
            "18446744073709551616",
            "-9223372036854775809",
            "-0",
        ] {
            assert!(
                parse(&format!("[{{\"a\":{digits}}}]")).has_fractions(),
                "{digits}"
            );
        }
        for digits in ["0", "18446744073709551615", "-9223372036854775808"] {
            assert!(!parse(digits).has_fractions(), "{digits}");
        }
    }
}
