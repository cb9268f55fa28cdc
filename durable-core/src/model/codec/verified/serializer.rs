//! Serializer that inspects values before a format's serializer writes them.

use serde::{Serialize, Serializer};

use super::compound::InspectingCompound;
use super::{Doubt, Inspector, Part};

/// Serializer that reports suspicious values to its inspector.
pub(in crate::model::codec) struct InspectingSerializer<'w, S> {
    inner: S,
    inspector: &'w Inspector,
    /// Whether the value is the content of a `Some`.
    in_some: bool,
}

impl<'w, S> InspectingSerializer<'w, S> {
    pub(super) fn new(inner: S, inspector: &'w Inspector) -> Self {
        Self {
            inner,
            inspector,
            in_some: false,
        }
    }
}

/// Nested value that is serialized through the inspector.
pub(super) struct Inspected<'a, T: ?Sized> {
    value: &'a T,
    inspector: &'a Inspector,
    in_some: bool,
}

impl<'a, T: ?Sized> Inspected<'a, T> {
    pub(super) fn new(value: &'a T, inspector: &'a Inspector) -> Self {
        Self {
            value,
            inspector,
            in_some: false,
        }
    }
}

impl<T: Serialize + ?Sized> Serialize for Inspected<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(InspectingSerializer {
            inner: serializer,
            inspector: self.inspector,
            in_some: self.in_some,
        })
    }
}

/// Returns whether the shortest decimal of `value`, parsed as `f64` and rounded, equals `value`. Values inside
/// untagged enums and flattened fields are parsed that way.
fn survives_as_f64(value: f32) -> bool {
    // Within these bounds the decimal never rounds to a midpoint of two `f32`. It has at most nine digits and
    // the midpoint 25 bits, so as integers both are below 2^53, and an `f64` distinguishes them.
    if value == 0.0 || (1e-3..1e10).contains(&value.abs()) {
        return true;
    }
    let decimal: Result<f64, _> = value.to_string().parse();
    decimal.is_ok_and(|decimal| (decimal as f32).to_bits() == value.to_bits())
}

macro_rules! pass_on {
    ($($name:ident($type:ty),)*) => {
        $(
            #[inline]
            fn $name(self, value: $type) -> Result<S::Ok, S::Error> {
                self.inner.$name(value)
            }
        )*
    };
}

impl<'w, S: Serializer> Serializer for InspectingSerializer<'w, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = InspectingCompound<'w, S::SerializeSeq>;
    type SerializeTuple = InspectingCompound<'w, S::SerializeTuple>;
    type SerializeTupleStruct = InspectingCompound<'w, S::SerializeTupleStruct>;
    type SerializeTupleVariant = InspectingCompound<'w, S::SerializeTupleVariant>;
    type SerializeMap = InspectingCompound<'w, S::SerializeMap>;
    type SerializeStruct = InspectingCompound<'w, S::SerializeStruct>;
    type SerializeStructVariant = InspectingCompound<'w, S::SerializeStructVariant>;

    pass_on! {
        serialize_bool(bool),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_i128(i128),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_u128(u128),
        serialize_char(char),
        serialize_str(&str),
        serialize_bytes(&[u8]),
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        if self.inspector.format.is_finite() {
            if !value.is_finite() {
                self.inspector
                    .doubt(Doubt::NonFinite(f64::from(value).to_bits()))?;
            } else if !survives_as_f64(value) {
                return self.inner.serialize_f64(f64::from(value));
            }
        }
        self.inner.serialize_f32(value)
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        if !value.is_finite() && self.inspector.format.is_finite() {
            self.inspector.doubt(Doubt::NonFinite(value.to_bits()))?;
        }
        self.inner.serialize_f64(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        if self.in_some {
            self.inspector.doubt(Doubt::SomeOfNothing)?;
        }
        self.inner.serialize_none()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&Inspected {
            value,
            inspector: self.inspector,
            in_some: true,
        })
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        if self.in_some {
            self.inspector.doubt(Doubt::SomeOfNothing)?;
        }
        self.inner.serialize_unit()
    }

    #[inline]
    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        if self.in_some && self.inspector.format.nullifies_unit_structs() {
            self.inspector.doubt(Doubt::SomeOfNothing)?;
        }
        self.inner.serialize_unit_struct(name)
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let Self {
            inspector, in_some, ..
        } = self;
        let inspected = Inspected {
            value,
            inspector,
            in_some,
        };
        self.inner.serialize_newtype_struct(name, &inspected)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let inspected = Inspected::new(value, self.inspector);
        self.inner
            .serialize_newtype_variant(name, index, variant, &inspected)
            .inspect_err(|_| self.inspector.push_path(|| Part::Field(variant)))
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let inner = self.inner.serialize_seq(len)?;
        Ok(InspectingCompound::new(inner, self.inspector, None))
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let inner = self.inner.serialize_tuple(len)?;
        Ok(InspectingCompound::new(inner, self.inspector, None))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let inner = self.inner.serialize_tuple_struct(name, len)?;
        Ok(InspectingCompound::new(inner, self.inspector, None))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let inner = self
            .inner
            .serialize_tuple_variant(name, index, variant, len)?;
        Ok(InspectingCompound::new(
            inner,
            self.inspector,
            Some(variant),
        ))
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let inner = self.inner.serialize_map(len)?;
        Ok(InspectingCompound::new(inner, self.inspector, None))
    }

    #[inline]
    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let inner = self.inner.serialize_struct(name, len)?;
        Ok(InspectingCompound::new(inner, self.inspector, None))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let inner = self
            .inner
            .serialize_struct_variant(name, index, variant, len)?;
        Ok(InspectingCompound::new(
            inner,
            self.inspector,
            Some(variant),
        ))
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}
