//! JSON from strangers: tokens, JWK Sets, introspection responses, discovery documents.
//!
//! Stricter than RFC 8259 where it leaves room: a member may appear once (RFC 7515 §4 demands it of headers, RFC 7519 §4 allows to demand it of
//! claims), names are compared after unescaping, nesting is bounded, and a number that no `f64` holds is an error. Depth counts arrays and
//! objects: a scalar has depth 0, `{}` has depth 1. Parsing never recurses deeper than the limit.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

/// Deepest nesting of anything untrusted that is read here: tokens (SPEC J-1), JWKs, documents of providers, configurations.
pub const MAX_DEPTH: usize = 32;

/// Why bytes were not accepted as JSON. Member names may be shown, values never.
#[derive(Debug)]
pub enum JsonError {
    /// Not RFC 8259, or a number out of range; says what, with line and column.
    Syntax(serde_json::Error),
    /// More levels of arrays and objects than allowed.
    TooDeep {
        /// The limit that was exceeded.
        limit: usize,
        /// Where the first level too many begins, or shortly after, counted from 1.
        line: usize,
        /// Likewise.
        column: usize,
    },
    /// One object has two members of one name.
    DuplicateMember {
        /// Names and indices from the outermost value inwards, as `keys[2].kid`; long names shortened.
        path: String,
    },
    /// Sound JSON, but not an object.
    NotAnObject,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => write!(f, "not JSON: {error}"),
            Self::TooDeep { limit, line, column } => {
                write!(f, "JSON nested deeper than {limit} levels at line {line} column {column}")
            }
            Self::DuplicateMember { path } => write!(f, "duplicate JSON member {path}"),
            Self::NotAnObject => f.write_str("not a JSON object"),
        }
    }
}

impl std::error::Error for JsonError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Syntax(error) => Some(error),
            _ => None,
        }
    }
}

/// Parses one JSON value that fills `bytes`, with at most `max_depth` levels.
///
/// `serde_json` itself stops at 127 levels, so a greater `max_depth` means 127.
pub fn parse(bytes: &[u8], max_depth: usize) -> Result<Value, JsonError> {
    let mut strict = Strict { max_depth, depth: 0, path: Vec::new(), fault: None };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed =
        (&mut strict).deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    parsed.map_err(|error| match strict.fault {
        Some(Fault::TooDeep) => {
            JsonError::TooDeep { limit: max_depth, line: error.line(), column: error.column() }
        }
        Some(Fault::Duplicate) => JsonError::DuplicateMember { path: display_path(&strict.path) },
        None => JsonError::Syntax(error),
    })
}

/// [`parse`], for documents that must be objects.
pub fn parse_object(bytes: &[u8], max_depth: usize) -> Result<Map<String, Value>, JsonError> {
    match parse(bytes, max_depth)? {
        Value::Object(members) => Ok(members),
        _ => Err(JsonError::NotAnObject),
    }
}

/// A name or word of a stranger as it may appear in a log line: at most 64 characters, none of them a control character.
pub(crate) fn excerpt(text: &str) -> String {
    let mut shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
    if text.chars().nth(64).is_some() {
        shown.push('…');
    }
    shown
}

/// The seed: one value, strictly. Passed by `&mut` through the levels, so that the path and the fault survive the error.
struct Strict {
    max_depth: usize,
    depth: usize,
    /// Where the error is, innermost first: filled only on the way out.
    path: Vec<Step>,
    fault: Option<Fault>,
}

enum Step {
    Member(String),
    Index(usize),
}

enum Fault {
    TooDeep,
    Duplicate,
}

impl Strict {
    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.depth >= self.max_depth {
            self.fault = Some(Fault::TooDeep);
            return Err(E::custom("too deep"));
        }
        self.depth += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }
}

impl<'de> DeserializeSeed<'de> for &mut Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut array = Vec::new();
        loop {
            match elements.next_element_seed(&mut *self) {
                Ok(Some(element)) => array.push(element),
                Ok(None) => break,
                Err(error) => {
                    self.path.push(Step::Index(array.len()));
                    return Err(error);
                }
            }
        }
        self.leave();
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let vacant = match object.entry(name) {
                Entry::Vacant(vacant) => vacant,
                Entry::Occupied(occupied) => {
                    self.fault = Some(Fault::Duplicate);
                    self.path.push(Step::Member(occupied.key().clone()));
                    return Err(A::Error::custom("duplicate member"));
                }
            };
            match members.next_value_seed(&mut *self) {
                Ok(value) => vacant.insert(value),
                Err(error) => {
                    self.path.push(Step::Member(vacant.key().clone()));
                    return Err(error);
                }
            };
        }
        self.leave();
        Ok(Value::Object(object))
    }
}

fn display_path(path: &[Step]) -> String {
    let mut shown = String::new();
    for step in path.iter().rev() {
        match step {
            Step::Member(name) => {
                if !shown.is_empty() {
                    shown.push('.');
                }
                shown.push_str(&excerpt(name));
            }
            Step::Index(index) => shown.push_str(&format!("[{index}]")),
        }
    }
    shown
}

#[cfg(test)]
mod tests;
