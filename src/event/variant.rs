//! Reads and writes one variant of an event enum without its name around it.
//!
//! The log keeps the variant's name as the event's type, so the data holds the fields alone.
//! Serde would want `{"Placed": {…}}`; these two functions stand in for that wrapping.

use serde::Serialize;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, VariantAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

/// Most events are written without growing their buffer.
const USUAL_LEN_MAX: usize = 512;

type Json<'de> = serde_json::Deserializer<serde_json::de::SliceRead<'de>>;

/// Decodes the variant `name` of `E` from its fields.
///
/// # Errors
/// What serde says of the fields.
pub fn decode_variant<E: DeserializeOwned>(
    name: &str,
    data: &[u8],
) -> Result<E, serde_json::Error> {
    E::deserialize(Variant { name, data })
}

/// Encodes the fields of an event's variant, without the variant's name.
///
/// # Errors
/// What serde says of the fields.
pub fn encode_variant<E: Serialize>(name: &str, event: &E) -> Result<Vec<u8>, serde_json::Error> {
    let mut wrapped = Vec::with_capacity(USUAL_LEN_MAX);
    serde_json::to_writer(&mut wrapped, event)?;
    // `{"Name":` + fields + `}`; a variant without fields is the bare `"Name"`.
    let fields = wrapped.get(name.len() + 4..wrapped.len().saturating_sub(1));
    match fields {
        Some(fields) if wrapped.first() == Some(&b'{') => Ok(fields.to_vec()),
        _ => Ok(b"{}".to_vec()),
    }
}

struct Variant<'a> {
    name: &'a str,
    data: &'a [u8],
}

impl<'de> Deserializer<'de> for Variant<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map struct enum
        identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = serde_json::Error;
    type Variant = Fields<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Fields<'de>), Self::Error> {
        let name: StrDeserializer<'_, Self::Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, Fields { json: Json::from_slice(self.data) }))
    }
}

struct Fields<'de> {
    json: Json<'de>,
}

impl<'de> VariantAccess<'de> for Fields<'de> {
    type Error = serde_json::Error;

    fn unit_variant(self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        mut self,
        seed: T,
    ) -> Result<T::Value, Self::Error> {
        let value = seed.deserialize(&mut self.json)?;
        self.json.end().map(|()| value)
    }

    fn tuple_variant<V: Visitor<'de>>(
        mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let value = self.json.deserialize_tuple(len, visitor)?;
        self.json.end().map(|()| value)
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let value = self.json.deserialize_struct("", fields, visitor)?;
        self.json.end().map(|()| value)
    }
}
