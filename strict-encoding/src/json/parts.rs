//! The parts of a JSON text, each as text: so that what is wrong with one of them is no fault of the others.

use std::borrow::Cow;

use super::{JsonError, Value};

/// The texts of the elements of an array, or of the members of an object, one after the other.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// What stands between the brackets and was not handed out yet; `None` after the last part.
    rest: Option<&'a str>,
}

/// The elements of an array. `None`: it is none. `text` is [`sound`](super::sound), or part of what is.
pub fn elements(text: &str) -> Option<Parts<'_>> {
    between(text, '[', ']')
}

/// The members of an object: names, unescaped, and the texts of their values. `text` is [`sound`](super::sound), or part of what is.
pub fn members(text: &str) -> Result<Vec<(Cow<'_, str>, &str)>, JsonError> {
    let mut members = Vec::new();
    for member in between(text, '{', '}').ok_or(JsonError::NotAnObject)? {
        // A sound member has its colon, and its name is a string.
        let (name, value) = split(member, b':').ok_or(JsonError::NotAnObject)?;
        match super::parse(name.as_bytes(), 0)? {
            Value::String(name) => members.push((name, value)),
            _ => return Err(JsonError::NotAnObject),
        }
    }
    match super::duplicate(&members) {
        Some(name) => Err(JsonError::DuplicateMember { path: super::excerpt(name) }),
        None => Ok(members),
    }
}

fn between(text: &str, open: char, close: char) -> Option<Parts<'_>> {
    let inside = text.trim_ascii().strip_prefix(open)?.strip_suffix(close)?.trim_ascii();
    Some(Parts { rest: (!inside.is_empty()).then_some(inside) })
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let (part, rest) =
            split(rest, b',').map_or((rest.trim_ascii(), None), |(part, rest)| (part, Some(rest)));
        self.rest = rest;
        Some(part)
    }
}

/// Before and after the first separator that stands in no string, array or object.
fn split(text: &str, separator: u8) -> Option<(&str, &str)> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let place = text.bytes().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => return depth == 0 && byte == separator,
        }
        false
    })?;
    let (before, after) = (text.get(..place)?, text.get(place + 1..)?);
    Some((before.trim_ascii(), after.trim_ascii()))
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn commas_in_strings_and_inside_of_parts_do_not_separate() {
        let text = r#" [ 1 , "a,]\",[" , [2,[3]] ,{"b":{"c":[4,"}"]}},"\\" ] "#;
        let parts: Vec<&str> = elements(text).unwrap().collect();
        assert_eq!(parts, ["1", r#""a,]\",[""#, "[2,[3]]", r#"{"b":{"c":[4,"}"]}}"#, r#""\\""#]);
        for part in parts {
            assert!(super::super::sound(part.as_bytes()).is_ok(), "{part}");
        }
    }

    #[test]
    fn members_are_names_and_values() {
        let parts = members("{\"\\u0061\" : 1,\n\"b:\\\":,\":{\"c\":[2,3]} }").unwrap();
        assert_eq!(parts, [("a".into(), "1"), ("b:\":,".into(), "{\"c\":[2,3]}")]);
    }

    #[test]
    fn a_member_may_appear_once() {
        for text in [r#"{"a":1,"b":{},"a":2}"#, r#"{"a":1,"\u0061":2}"#] {
            let error = members(text).unwrap_err();
            assert!(matches!(&error, JsonError::DuplicateMember { path } if path == "a"), "{error}");
        }
    }

    #[test]
    fn nothing_has_no_parts() {
        assert_eq!(elements("[]").unwrap().count(), 0);
        assert_eq!(elements(" [ \n] ").unwrap().count(), 0);
        assert_eq!(members("{ }").unwrap().len(), 0);
        assert!(elements("{}").is_none() && members("[]").is_err() && elements("1").is_none());
    }

    #[test]
    fn what_is_not_sound_is_no_panic() {
        for text in ["[", "]", "[\"", "[}]", "[\\", "[,,]", "[é,", "{:}", "{\"a\"}", "\u{2028}"] {
            let _ = elements(text).map(Iterator::count);
            let _ = members(text);
        }
    }
}
