//! Inspecting wrappers of the compound serializers.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::serializer::Inspected;
use super::{Inspector, Loss, Part};

/// Wrapper of a compound serializer that inspects the items of a list, map, struct or variant.
pub(in crate::model::codec) struct InspectingCompound<'w, C> {
    inner: C,
    inspector: &'w Inspector,
    variant: Option<&'static str>,
    /// Number of items so far.
    count: usize,
}

impl<'w, C> InspectingCompound<'w, C> {
    pub(super) fn new(inner: C, inspector: &'w Inspector, variant: Option<&'static str>) -> Self {
        Self {
            inner,
            inspector,
            variant,
            count: 0,
        }
    }

    #[cold]
    fn push_path(&self, part: impl FnOnce() -> Part) {
        self.inspector.push_path(part);
        if let Some(variant) = self.variant {
            self.inspector.push_path(|| Part::Field(variant));
        }
    }
}

macro_rules! of_items {
    ($($trait:ident::$method:ident,)*) => {
        $(
            impl<C: $trait> $trait for InspectingCompound<'_, C> {
                type Ok = C::Ok;
                type Error = C::Error;

                #[inline]
                fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                    self.count += 1;
                    let inspected = Inspected::new(value, self.inspector);
                    let written = self.inner.$method(&inspected);
                    written.inspect_err(|_| self.push_path(|| Part::Index(self.count - 1)))
                }

                #[inline]
                fn end(self) -> Result<C::Ok, C::Error> {
                    self.inner.end()
                }
            }
        )*
    };
}

of_items! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

macro_rules! of_fields {
    ($($trait:ident,)*) => {
        $(
            impl<C: $trait> $trait for InspectingCompound<'_, C> {
                type Ok = C::Ok;
                type Error = C::Error;

                #[inline]
                fn serialize_field<T: Serialize + ?Sized>(
                    &mut self,
                    name: &'static str,
                    value: &T,
                ) -> Result<(), C::Error> {
                    let inspected = Inspected::new(value, self.inspector);
                    let written = self.inner.serialize_field(name, &inspected);
                    written.inspect_err(|_| self.push_path(|| Part::Field(name)))
                }

                #[inline]
                fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                    self.inner.skip_field(name)
                }

                #[inline]
                fn end(self) -> Result<C::Ok, C::Error> {
                    self.inner.end()
                }
            }
        )*
    };
}

of_fields! {
    SerializeStruct,
    SerializeStructVariant,
}

impl<C: SerializeMap> SerializeMap for InspectingCompound<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.count += 1;
        let written = self
            .inner
            .serialize_key(&Inspected::new(key, self.inspector));
        written.inspect_err(|error| self.inspector.fail(Loss::Key(error.to_string())))
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let written = self
            .inner
            .serialize_value(&Inspected::new(value, self.inspector));
        written.inspect_err(|_| self.push_path(|| Part::Key(format!("entry {}", self.count))))
    }

    #[inline]
    fn serialize_entry<K, V>(&mut self, key: &K, value: &V) -> Result<(), C::Error>
    where
        K: Serialize + ?Sized,
        V: Serialize + ?Sized,
    {
        self.serialize_key(key)?;
        let written = self
            .inner
            .serialize_value(&Inspected::new(value, self.inspector));
        written.inspect_err(|_| {
            let text = || serde_json::to_string(key).unwrap_or_else(|_| "…".to_owned());
            self.push_path(|| Part::Key(text()));
        })
    }

    #[inline]
    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
