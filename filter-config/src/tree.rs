//! YAML documents with their keys in the order they were written.
//!
//! Rendered files are built from values, never from text, so that nothing in a configuration can break out of its place. `serde_json`'s maps would sort
//! the keys, and its `preserve_order` feature would change the core through feature unification.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_saphyr::FlowMap;

/// A YAML value.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Number(u64),
    /// A text; one with line breaks is written as a block.
    Text(String),
    /// A sequence.
    List(Vec<Tree>),
    /// A mapping.
    Map(Vec<(String, Tree)>),
    /// A mapping on one line.
    Line(Vec<(String, Tree)>),
}

impl Tree {
    /// A mapping on one line; anything else stays as it is.
    #[must_use]
    pub fn on_one_line(self) -> Self {
        match self {
            Self::Map(entries) => Self::Line(entries),
            other => other,
        }
    }

    /// Adds a key to a mapping, where there is a value; anything but a mapping stays as it is.
    #[must_use]
    pub fn and(mut self, key: &str, value: Option<impl Into<Self>>) -> Self {
        if let (Self::Map(entries), Some(value)) = (&mut self, value) {
            entries.push((key.to_owned(), value.into()));
        }
        self
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => serializer.serialize_u64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => serializer.collect_seq(values),
            Self::Map(entries) => Entries(entries).serialize(serializer),
            Self::Line(entries) => FlowMap(Entries(entries)).serialize(serializer),
        }
    }
}

struct Entries<'t>(&'t [(String, Tree)]);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl From<bool> for Tree {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u8> for Tree {
    fn from(value: u8) -> Self {
        Self::Number(value.into())
    }
}

impl From<u16> for Tree {
    fn from(value: u16) -> Self {
        Self::Number(value.into())
    }
}

impl From<u32> for Tree {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<&str> for Tree {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Tree {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<Self>> for Tree {
    fn from(values: Vec<Self>) -> Self {
        Self::List(values)
    }
}

/// A mapping: `map! { "key": value, … }`.
#[macro_export]
macro_rules! map {
    ($($key:literal : $value:expr),* $(,)?) => {
        $crate::tree::Tree::Map(vec![$(($key.to_owned(), $crate::tree::Tree::from($value))),*])
    };
}

/// A sequence: `list![value, …]`.
#[macro_export]
macro_rules! list {
    ($($value:expr),* $(,)?) => {
        $crate::tree::Tree::List(vec![$($crate::tree::Tree::from($value)),*])
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_can_stand_on_one_line() {
        let long = "x".repeat(300);
        let line = map! { "a": "10.0.0.0", "b": 8_u8, "@c": "a: b, {}", "d": map! { "e": long.as_str() } };
        let text = serde_saphyr::to_string(&map! { "list": list![line.on_one_line()] }).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        let back: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let expected =
            serde_json::json!({"list": [{"a": "10.0.0.0", "b": 8, "@c": "a: b, {}", "d": {"e": long}}]});
        assert_eq!(back, expected);
    }

    #[test]
    fn keys_keep_their_order_and_texts_their_kind() {
        let tree = map! { "z": 1_u32, "a": list![true, "true", "1", "", "# x", "a: b", "- c"], "e": Tree::Map(Vec::new()) }
            .and("last", Some("x\ny: 1\n"))
            .and("never", None::<bool>);
        let text = serde_saphyr::to_string(&tree).unwrap();
        let order: Vec<usize> =
            ["z:", "a:", "e:", "last:"].iter().map(|key| text.find(key).unwrap()).collect();
        assert!(order.is_sorted(), "{text}");
        let back: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let expected = serde_json::json!({"z": 1, "a": [true, "true", "1", "", "# x", "a: b", "- c"], "e": {}, "last": "x\ny: 1\n"});
        assert_eq!(back, expected);
    }
}
