//! Values that travel as text: read from the message's own bytes and written into its buffer,
//! without a string of their own in between.

/// Implements `Deserialize` by `$type::parse`, and `Serialize` by its `Display` or by a method that
/// gives the text. Generic parameters of the type stand at the end.
macro_rules! text_form {
    ($type:ty as Display $(, $($generics:tt)*)?) => {
        text_form!(@read $type $(, $($generics)*)?);

        impl $(<$($generics)*>)? serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
    ($type:ty as $text:ident $(, $($generics:tt)*)?) => {
        text_form!(@read $type $(, $($generics)*)?);

        impl $(<$($generics)*>)? serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.$text())
            }
        }
    };
    (@read $type:ty $(, $($generics:tt)*)?) => {
        impl<'de $(, $($generics)*)?> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(crate::text_form::Parse(Self::parse))
            }
        }
    };
}

pub(crate) use text_form;

/// Reads a string by a function.
pub(crate) struct Parse<F>(pub(crate) F);

impl<T, E, F> serde::de::Visitor<'_> for Parse<F>
where
    F: FnOnce(&str) -> Result<T, E>,
    E: std::fmt::Display,
{
    type Value = T;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<D: serde::de::Error>(self, text: &str) -> Result<T, D> {
        self.0(text).map_err(D::custom)
    }
}
