//! JSON from strangers: tokens, JWK Sets, introspection responses, discovery documents.
//!
//! Stricter than RFC 8259 where it leaves room: a member may appear once (RFC 7515 §4 demands it of headers, RFC 7519 §4 allows to demand it of
//! claims), names are compared after unescaping, nesting is bounded, and a number that no `f64` holds is an error. Depth counts arrays and
//! objects: a scalar has depth 0, `{}` has depth 1. Parsing never recurses deeper than the limit.
//!
//! A [`Value`] borrows from the text what it can: most tokens are looked at once and dropped.

mod parts;
mod value;

use std::borrow::Cow;
use std::collections::BinaryHeap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

pub use parts::{Parts, elements, members};
pub use value::{Object, Value};

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
pub fn parse(bytes: &[u8], max_depth: usize) -> Result<Value<'_>, JsonError> {
    let text = text(bytes)?;
    let mut strict = Strict { max_depth, depth: 0, path: Vec::new(), fault: None };
    let mut deserializer = serde_json::Deserializer::from_str(text);
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
pub fn parse_object(bytes: &[u8], max_depth: usize) -> Result<Object<'_>, JsonError> {
    match parse(bytes, max_depth)? {
        Value::Object(members) => Ok(members),
        _ => Err(JsonError::NotAnObject),
    }
}

/// The text of one JSON value, which is sound (RFC 8259) and not looked into, however deep: its [`members`] or [`elements`] are to be parsed one by one, so
/// that one of them may be refused alone.
pub fn sound(bytes: &[u8]) -> Result<&str, JsonError> {
    let text = text(bytes)?;
    serde_json::from_str::<IgnoredAny>(text).map_err(JsonError::Syntax)?;
    Ok(text.trim_ascii())
}

fn text(bytes: &[u8]) -> Result<&str, JsonError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let place = format_args!("not UTF-8 at byte {}", error.valid_up_to());
        JsonError::Syntax(serde_json::Error::custom(place))
    })
}

/// A name or word of a stranger as it may appear in a log line: at most 64 characters, none of them a control character.
pub fn excerpt(text: &str) -> String {
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
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Strict {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value<'de>, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value<'de>, A::Error> {
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

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value<'de>, A::Error> {
        self.enter()?;
        // Of the outermost object, which in a token has about so many. Within it, a stranger could have room made for much that never comes.
        let mut object = Vec::with_capacity(if self.depth == 1 { 20 } else { 0 });
        while let Some(name) = members.next_key_seed(Name)? {
            match members.next_value_seed(&mut *self) {
                Ok(value) => object.push((name, value)),
                Err(error) => {
                    self.path.push(Step::Member(name.into_owned()));
                    return Err(error);
                }
            }
        }
        if let Some(name) = duplicate(&object) {
            self.fault = Some(Fault::Duplicate);
            self.path.push(Step::Member(name.to_owned()));
            return Err(A::Error::custom("duplicate member"));
        }
        self.leave();
        Ok(Value::Object(Object(object)))
    }
}

/// The seed of a member's name.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// So few members are compared each with each. More are put in order, so that an object costs no more than it is long, whoever made it.
const FEW: usize = 32;

/// One bit of 64, the same for equal names.
fn kind(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let end = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(*byte));
    1 << ((bytes.len() * 16 + end(bytes.first()) * 3 + end(bytes.last())) % 64)
}

/// A name that stands there twice.
fn duplicate<'a, T>(members: &'a [(Cow<'_, str>, T)]) -> Option<&'a str> {
    if members.len() <= FEW {
        let mut kinds = 0;
        for (place, (name, _)) in members.iter().enumerate() {
            let kind = kind(name);
            // Most names are the first of their kind.
            if kinds & kind != 0 && members.iter().take(place).any(|(other, _)| other == name) {
                return Some(name);
            }
            kinds |= kind;
        }
        return None;
    }
    let mut names: BinaryHeap<&str> = members.iter().map(|(name, _)| &**name).collect();
    let mut last = names.pop();
    while let Some(name) = names.pop() {
        if last.replace(name) == Some(name) {
            return Some(name);
        }
    }
    None
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
