//! What compound values are made of, under watch.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::serializer::Within;
use super::{Lost, Part, Watch};

/// The parts of a list, map, struct or variant, each under watch.
pub(in crate::model::codec) struct Parts<'w, C> {
    inner: C,
    watch: &'w Watch,
    variant: Option<&'static str>,
    /// Parts so far.
    count: usize,
}

impl<'w, C> Parts<'w, C> {
    pub(super) fn new(inner: C, watch: &'w Watch, variant: Option<&'static str>) -> Self {
        Self {
            inner,
            watch,
            variant,
            count: 0,
        }
    }

    #[cold]
    fn out_of(&self, part: impl FnOnce() -> Part) {
        self.watch.out_of(part);
        if let Some(variant) = self.variant {
            self.watch.out_of(|| Part::Field(variant));
        }
    }
}

macro_rules! of_items {
    ($($trait:ident::$method:ident,)*) => {
        $(
            impl<C: $trait> $trait for Parts<'_, C> {
                type Ok = C::Ok;
                type Error = C::Error;

                #[inline]
                fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                    self.count += 1;
                    let within = Within::new(value, self.watch);
                    let written = self.inner.$method(&within);
                    written.inspect_err(|_| self.out_of(|| Part::Index(self.count - 1)))
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
            impl<C: $trait> $trait for Parts<'_, C> {
                type Ok = C::Ok;
                type Error = C::Error;

                #[inline]
                fn serialize_field<T: Serialize + ?Sized>(
                    &mut self,
                    name: &'static str,
                    value: &T,
                ) -> Result<(), C::Error> {
                    let within = Within::new(value, self.watch);
                    let written = self.inner.serialize_field(name, &within);
                    written.inspect_err(|_| self.out_of(|| Part::Field(name)))
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

impl<C: SerializeMap> SerializeMap for Parts<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.count += 1;
        let written = self.inner.serialize_key(&Within::new(key, self.watch));
        written.inspect_err(|error| self.watch.fail(Lost::Key(error.to_string())))
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let written = self.inner.serialize_value(&Within::new(value, self.watch));
        written.inspect_err(|_| self.out_of(|| Part::Key(format!("entry {}", self.count))))
    }

    #[inline]
    fn serialize_entry<K, V>(&mut self, key: &K, value: &V) -> Result<(), C::Error>
    where
        K: Serialize + ?Sized,
        V: Serialize + ?Sized,
    {
        self.serialize_key(key)?;
        let written = self.inner.serialize_value(&Within::new(value, self.watch));
        written.inspect_err(|_| {
            let text = || serde_json::to_string(key).unwrap_or_else(|_| "…".to_owned());
            self.out_of(|| Part::Key(text()));
        })
    }

    #[inline]
    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
