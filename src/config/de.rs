//! Gives nodes their types, by serde. The type asked for decides how a scalar is read: `password: 0123` is text where
//! text is wanted, and a number that came from the environment is a number where a number is wanted.

use std::fmt;

use serde::de::{self, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor, value::StrDeserializer};

use super::tree::{Entry, Kind, Node, Scalar};

/// Stands in a message for the value that it is about: what may be repeated of that is known to the tree alone.
pub(super) const VALUE: &str = "{value}";
/// What a key is called that nothing knows.
pub(super) const UNKNOWN_KEY: &str = "unknown key";
/// Name of the type of secrets: an empty one is none, and says so.
pub(super) const SECRET: &str = "Secret";

/// What is wrong with a value, with a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeError {
    pub what: String,
    pub hint: String,
}

impl DeError {
    fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for DeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for DeError {}

impl de::Error for DeError {
    /// A message `what (hint)` of our own types is taken apart again.
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        match message.split_once(" (").and_then(|(what, hint)| Some((what, hint.strip_suffix(')')?))) {
            Some((what, hint)) => Self::new(what, hint),
            None => Self::new(message, ""),
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let hint = closest(field, expected)
            .map_or_else(|| format!("known here: {}", expected.join(", ")), |near| format!("did you mean `{near}`?"));
        Self::new(UNKNOWN_KEY, hint)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let near = closest(variant, expected).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        Self::new(format!("{VALUE} is not a choice"), format!("{near}one of: {}", expected.join(", ")))
    }
}

/// The name most like `word`, where one is near enough to be meant.
fn closest(word: &str, known: &[&'static str]) -> Option<&'static str> {
    known
        .iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(word, name), *name))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// A node on its way into a type.
#[derive(Clone, Copy)]
pub(super) struct De<'a>(pub &'a Node);

impl<'a> De<'a> {
    fn scalar(self, wanted: &str) -> Result<&'a Scalar, DeError> {
        match &self.0.kind {
            Kind::Scalar(scalar) if !self.0.is_blank() => Ok(scalar),
            _ => Err(self.mismatch(wanted)),
        }
    }

    fn mismatch(self, wanted: &str) -> DeError {
        let hint = if self.0.is_blank() { self.0.blank_hint() } else { String::new() };
        DeError::new(format!("{} where {wanted} is expected", self.0), hint)
    }

    fn unsigned(self) -> Result<u64, DeError> {
        let wanted = "a whole number from 0";
        self.scalar(wanted)?.text.parse().map_err(|_| self.mismatch(wanted))
    }

    fn signed(self) -> Result<i64, DeError> {
        let wanted = "a whole number";
        self.scalar(wanted)?.text.parse().map_err(|_| self.mismatch(wanted))
    }

    fn float(self) -> Result<f64, DeError> {
        let wanted = "a number";
        let value: f64 = self.scalar(wanted)?.text.parse().map_err(|_| self.mismatch(wanted))?;
        if value.is_finite() { Ok(value) } else { Err(self.mismatch(wanted)) }
    }
}

macro_rules! by {
    ($how:ident: $($method:ident => $visit:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
            visitor.$visit(self.$how()?)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for De<'de> {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match &self.0.kind {
            Kind::List(_) => self.deserialize_seq(visitor),
            Kind::Map(_) => self.deserialize_map(visitor),
            Kind::Scalar(_) if self.0.is_blank() => visitor.visit_unit(),
            Kind::Scalar(scalar) => visitor.visit_str(&scalar.text),
        }
    }

    by!(unsigned: deserialize_u8 => visit_u64, deserialize_u16 => visit_u64, deserialize_u32 => visit_u64, deserialize_u64 => visit_u64,);
    by!(signed: deserialize_i8 => visit_i64, deserialize_i16 => visit_i64, deserialize_i32 => visit_i64, deserialize_i64 => visit_i64,);
    by!(float: deserialize_f32 => visit_f64, deserialize_f64 => visit_f64,);

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let wanted = "true or false";
        match self.scalar(wanted)?.text.as_str() {
            "true" | "True" | "TRUE" => visitor.visit_bool(true),
            "false" | "False" | "FALSE" => visitor.visit_bool(false),
            // Truth values of YAML 1.1, text since then.
            other => Err(match other.to_ascii_lowercase().as_str() {
                "yes" | "y" | "on" => DeError { hint: "write true".to_owned(), ..self.mismatch(wanted) },
                "no" | "n" | "off" => DeError { hint: "write false".to_owned(), ..self.mismatch(wanted) },
                _ => self.mismatch(wanted),
            }),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_str(&self.scalar("text")?.text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        // A key that is written has a value: what is empty by mistake must not read as what is left out.
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, DeError> {
        if name == SECRET && self.0.is_blank() {
            return Err(DeError::new("an empty secret", self.0.blank_hint()));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match &self.0.kind {
            Kind::List(items) => visitor.visit_seq(Items(items.iter())),
            Kind::Map(_) => Err(DeError {
                hint: "write `- ` before each item, and what it is called as its `name`".to_owned(),
                ..self.mismatch("a list")
            }),
            Kind::Scalar(_) => Err(self.mismatch("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match &self.0.kind {
            Kind::Map(entries) => visitor.visit_map(Entries { rest: entries.iter(), value: None }),
            _ => Err(self.mismatch("a mapping (`key: value`)")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        let scalar = self.scalar(&format!("one of {}", variants.join(", ")))?;
        let name: StrDeserializer<'_, DeError> = scalar.text.as_str().into_deserializer();
        visitor.visit_enum(name)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        self.0.find(|node| !node.dead).map(|node| seed.deserialize(De(node))).transpose()
    }
}

struct Entries<'a> {
    rest: std::slice::Iter<'a, Entry>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DeError> {
        let Some(entry) = self.rest.find(|entry| !entry.value.dead) else { return Ok(None) };
        self.value = Some(&entry.value);
        let key: StrDeserializer<'_, DeError> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DeError> {
        match self.value.take() {
            Some(node) => seed.deserialize(De(node)),
            None => Err(DeError::new("a value before its key", "")),
        }
    }
}
