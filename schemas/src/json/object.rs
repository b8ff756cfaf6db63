//! Objects are read as objects. serde also takes the items of an array for the fields of a struct,
//! in the order of their declaration: whoever sends `[1999, "USD"]` would be understood until a
//! field is added in front, and then be understood wrongly.

use serde::de::{Deserializer, IgnoredAny, Visitor};

use super::DecodeError;
use crate::violation::Violations;

/// The whole message: its first byte says what it is.
///
/// # Errors
/// It is an array, or no JSON.
pub(super) fn refuse_array(bytes: &[u8]) -> Result<(), DecodeError> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
        return Ok(());
    }
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|e| DecodeError::malformed(&e))?;
    let mut found = Violations::default();
    found.invalid(".", "must be an object with named fields, got an array");
    Err(DecodeError::Fields(found))
}

/// Lets a type read an object where its derived code would take an array, too.
pub(crate) struct ObjectOnly<D>(pub(crate) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ObjectOnly<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        // Formats without names know fields by their place only.
        if self.0.is_human_readable() {
            self.0.deserialize_map(visitor)
        } else {
            self.0.deserialize_struct(name, fields, visitor)
        }
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// For a type within messages that derives its reading (and writing) with
/// `#[serde(remote = "Self")]`.
macro_rules! object_only {
    (read $type:ty) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // The derived function: it goes before the one of the trait.
                Self::deserialize(crate::json::ObjectOnly(deserializer))
            }
        }
    };
    ($type:ty) => {
        $crate::json::object_only!(read $type);

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }
    };
}

pub(crate) use object_only;
