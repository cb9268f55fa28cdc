//! The serializer that watches, around that of a format.

use serde::{Serialize, Serializer};

use super::parts::Parts;
use super::{Doubt, Part, Watch};

/// A serializer of `S` that tells `watch` what may not come back.
pub(in crate::model::codec) struct Watched<'w, S> {
    inner: S,
    watch: &'w Watch,
    /// Whether the value is that of a `Some`.
    in_some: bool,
}

impl<'w, S> Watched<'w, S> {
    pub(super) fn new(inner: S, watch: &'w Watch) -> Self {
        Self {
            inner,
            watch,
            in_some: false,
        }
    }
}

/// A value that is serialized under watch, within another.
pub(super) struct Within<'a, T: ?Sized> {
    value: &'a T,
    watch: &'a Watch,
    in_some: bool,
}

impl<'a, T: ?Sized> Within<'a, T> {
    pub(super) fn new(value: &'a T, watch: &'a Watch) -> Self {
        Self {
            value,
            watch,
            in_some: false,
        }
    }
}

impl<T: Serialize + ?Sized> Serialize for Within<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Watched {
            inner: serializer,
            watch: self.watch,
            in_some: self.in_some,
        })
    }
}

/// Whether the shortest decimal of `value`, read as an `f64` and rounded, is `value` again. That is how values within
/// untagged enums and flattened fields are read.
fn survives_as_f64(value: f32) -> bool {
    // Within these bounds the decimal never rounds to a midpoint of two `f32`: the decimal has at most nine digits and
    // the midpoint 25 bits, so that as whole numbers both are below 2^53, and an `f64` tells them apart.
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

impl<'w, S: Serializer> Serializer for Watched<'w, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Parts<'w, S::SerializeSeq>;
    type SerializeTuple = Parts<'w, S::SerializeTuple>;
    type SerializeTupleStruct = Parts<'w, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Parts<'w, S::SerializeTupleVariant>;
    type SerializeMap = Parts<'w, S::SerializeMap>;
    type SerializeStruct = Parts<'w, S::SerializeStruct>;
    type SerializeStructVariant = Parts<'w, S::SerializeStructVariant>;

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
        if self.watch.format.is_finite() {
            if !value.is_finite() {
                self.watch
                    .doubt(Doubt::NonFinite(f64::from(value).to_bits()))?;
            } else if !survives_as_f64(value) {
                return self.inner.serialize_f64(f64::from(value));
            }
        }
        self.inner.serialize_f32(value)
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        if !value.is_finite() && self.watch.format.is_finite() {
            self.watch.doubt(Doubt::NonFinite(value.to_bits()))?;
        }
        self.inner.serialize_f64(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        if self.in_some {
            self.watch.doubt(Doubt::SomeOfNothing)?;
        }
        self.inner.serialize_none()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&Within {
            value,
            watch: self.watch,
            in_some: true,
        })
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        if self.in_some {
            self.watch.doubt(Doubt::SomeOfNothing)?;
        }
        self.inner.serialize_unit()
    }

    #[inline]
    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        if self.in_some && self.watch.format.nullifies_unit_structs() {
            self.watch.doubt(Doubt::SomeOfNothing)?;
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
        let Self { watch, in_some, .. } = self;
        let within = Within {
            value,
            watch,
            in_some,
        };
        self.inner.serialize_newtype_struct(name, &within)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let within = Within::new(value, self.watch);
        self.inner
            .serialize_newtype_variant(name, index, variant, &within)
            .inspect_err(|_| self.watch.out_of(|| Part::Field(variant)))
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let inner = self.inner.serialize_seq(len)?;
        Ok(Parts::new(inner, self.watch, None))
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let inner = self.inner.serialize_tuple(len)?;
        Ok(Parts::new(inner, self.watch, None))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let inner = self.inner.serialize_tuple_struct(name, len)?;
        Ok(Parts::new(inner, self.watch, None))
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
        Ok(Parts::new(inner, self.watch, Some(variant)))
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let inner = self.inner.serialize_map(len)?;
        Ok(Parts::new(inner, self.watch, None))
    }

    #[inline]
    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let inner = self.inner.serialize_struct(name, len)?;
        Ok(Parts::new(inner, self.watch, None))
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
        Ok(Parts::new(inner, self.watch, Some(variant)))
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}
