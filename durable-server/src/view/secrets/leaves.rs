//! Texts and numbers in a binary value.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Texts and numbers of a value of any shape. Keys of maps are not secret, as in JSON.
pub(super) struct Leaves(pub(super) Vec<String>);

/// Required by the codec, which is only used to decode.
impl serde::Serialize for Leaves {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<'de> Deserialize<'de> for Leaves {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LeavesVisitor)
    }
}

struct LeavesVisitor;

macro_rules! numbers {
    ($($name:ident($type:ty),)*) => {
        $(
            fn $name<E: Error>(self, number: $type) -> Result<Leaves, E> {
                Ok(Leaves(vec![number.to_string()]))
            }
        )*
    };
}

impl<'de> Visitor<'de> for LeavesVisitor {
    type Value = Leaves;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    numbers! {
        visit_i64(i64),
        visit_u64(u64),
        visit_f32(f32),
        visit_f64(f64),
        visit_str(&str),
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Leaves, E> {
        Ok(Leaves(Vec::new()))
    }

    fn visit_unit<E: Error>(self) -> Result<Leaves, E> {
        Ok(Leaves(Vec::new()))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Leaves, E> {
        Ok(Leaves(vec![String::from_utf8_lossy(bytes).into_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Leaves, A::Error> {
        let mut leaves = Vec::new();
        while let Some(Leaves(item)) = items.next_element()? {
            leaves.extend(item);
        }
        Ok(Leaves(leaves))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Leaves, A::Error> {
        let mut leaves = Vec::new();
        while let Some((Leaves(_), Leaves(value))) = map.next_entry()? {
            leaves.extend(value);
        }
        Ok(Leaves(leaves))
    }
}
