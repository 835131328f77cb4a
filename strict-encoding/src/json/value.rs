//! JSON values that borrow from the text they were parsed from.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Number};

/// A JSON value. Strings are borrowed unless something in them was escaped.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An `i64`, a `u64` or a finite `f64`.
    Number(Number),
    /// Unescaped.
    String(Cow<'a, str>),
    /// In order.
    Array(Vec<Value<'a>>),
    /// Members with distinct names.
    Object(Object<'a>),
}

impl Value<'_> {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number that this is.
    pub const fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The elements of an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// Whether this is a string.
    pub const fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// A member of an object; no other value has any.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.get(name),
            _ => None,
        }
    }
}

impl fmt::Display for Value<'_> {
    /// JSON without white space, the members of objects in the order of their names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        serde_json::Value::from(self.clone()).fmt(f)
    }
}

impl From<Value<'_>> for serde_json::Value {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(truth),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::String(text.into_owned()),
            Value::Array(elements) => Self::Array(elements.into_iter().map(Self::from).collect()),
            Value::Object(Object(members)) => {
                let mut map = Map::new();
                for (name, value) in members {
                    map.insert(name.into_owned(), value.into());
                }
                Self::Object(map)
            }
        }
    }
}

impl From<serde_json::Value> for Value<'_> {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(truth) => Self::Bool(truth),
            serde_json::Value::Number(number) => Self::Number(number),
            serde_json::Value::String(text) => Self::String(text.into()),
            serde_json::Value::Array(elements) => Self::Array(elements.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(members) => {
                let members = members.into_iter().map(|(name, value)| (name.into(), value.into()));
                Self::Object(Object(members.collect()))
            }
        }
    }
}

/// Most names differ at an end, which is seen without a call.
fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    one.len() == other.len() && one.last() == other.last() && one.first() == other.first() && one == other
}

/// The members of an object, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'a>(pub(super) Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    /// The value of a member. Objects have few: they are looked through.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(found, _)| is_same(found, name)).map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value<'a>> {
        self.0.iter_mut().find(|(found, _)| is_same(found, name)).map(|(_, value)| value)
    }

    /// Whether there is such a member, with whatever value.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether it is `{}`.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
