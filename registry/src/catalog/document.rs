//! The three forms of catalog files, down to the list of their entries.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::LoadError;
use crate::config::Format;
use crate::timestamp::Timestamp;

const LIST: &str = "`data.servers` (ToolHive), `servers` (official) or an array of server.json objects";

/// A catalog whose entries are still text: what is unknown in them is kept as it is.
#[derive(Debug)]
pub(super) struct Document<'a> {
    /// Server.json objects, or `{server, _meta}` where `wrapped`.
    pub(super) items: Vec<&'a RawValue>,
    pub(super) wrapped: bool,
    /// `meta.last_updated`.
    pub(super) last_updated: Option<Timestamp>,
    /// The file is one page of a longer list.
    pub(super) is_partial: bool,
}

#[derive(Deserialize)]
struct Toolhive<'a> {
    meta: Option<ToolhiveMeta>,
    #[serde(borrow)]
    data: ToolhiveData<'a>,
}

#[derive(Deserialize)]
struct ToolhiveMeta {
    last_updated: Option<String>,
}

#[derive(Deserialize)]
struct ToolhiveData<'a> {
    #[serde(borrow)]
    servers: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Official<'a> {
    #[serde(borrow)]
    servers: Vec<&'a RawValue>,
    metadata: Option<OfficialMetadata>,
}

#[derive(Deserialize)]
struct OfficialMetadata {
    #[serde(rename = "nextCursor")]
    next_cursor: Option<String>,
}

impl<'a> Document<'a> {
    /// Reads a file's text.
    pub(super) fn read(text: &'a str, format: Format) -> Result<Self, LoadError> {
        let format = match format {
            Format::Auto => detect(text)?,
            chosen => chosen,
        };
        match format {
            Format::Toolhive => Self::toolhive(text),
            Format::Official => Self::official(text),
            Format::Array | Format::Auto => Ok(Self {
                items: serde_json::from_str(text)?,
                wrapped: false,
                last_updated: None,
                is_partial: false,
            }),
        }
    }

    fn toolhive(text: &'a str) -> Result<Self, LoadError> {
        let document: Toolhive<'a> = serde_json::from_str(text)?;
        let last_updated = match document.meta.and_then(|meta| meta.last_updated) {
            None => None,
            Some(text) => Some(
                Timestamp::from_text(&text)
                    .ok_or(LoadError::Shape("an RFC 3339 date in `meta.last_updated`"))?,
            ),
        };
        Ok(Self { items: document.data.servers, wrapped: false, last_updated, is_partial: false })
    }

    fn official(text: &'a str) -> Result<Self, LoadError> {
        let document: Official<'a> = serde_json::from_str(text)?;
        let cursor = document.metadata.and_then(|metadata| metadata.next_cursor);
        Ok(Self {
            items: document.servers,
            wrapped: true,
            last_updated: None,
            is_partial: cursor.is_some_and(|cursor| !cursor.is_empty()),
        })
    }
}

fn detect(text: &str) -> Result<Format, LoadError> {
    if text.trim_start().starts_with('[') {
        return Ok(Format::Array);
    }
    let Members(members) = serde_json::from_str(text)?;
    let has = |wanted: &str| members.iter().any(|(key, _)| key == wanted);
    if has("data") {
        Ok(Format::Toolhive)
    } else if has("servers") {
        Ok(Format::Official)
    } else {
        Err(LoadError::Shape(LIST))
    }
}

/// The members of an object, in order, duplicates included, values as text.
#[derive(Debug)]
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// JSON text without the white space between its tokens; everything else stays byte for byte.
pub(super) fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if matches!(character, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = character == '"';
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compacting_touches_only_the_space_between_tokens() {
        let pretty =
            "{ \"a b\" :\t[ 1.0 , 1e400 ],\r\n \"q\\\" \\\\\" : \" x \\\\\" , \"u\":\"\\u0041 \u{a0}\" }";
        let compacted = "{\"a b\":[1.0,1e400],\"q\\\" \\\\\":\" x \\\\\",\"u\":\"\\u0041 \u{a0}\"}";
        assert_eq!(compact(pretty), compacted);
        assert_eq!(compact(compacted), compacted);
    }

    #[test]
    fn forms_are_told_by_their_shape() {
        for (text, wrapped) in [
            (r#"{"meta":{"last_updated":"2025-01-01T00:00:00Z"},"data":{"servers":[{}]}}"#, false),
            (r#"{"servers":[{}],"metadata":{"count":1}}"#, true),
            (" \n [{}]", false),
        ] {
            let document = Document::read(text, Format::Auto).unwrap();
            assert_eq!((document.items.len(), document.wrapped), (1, wrapped));
            assert!(!document.is_partial);
        }
    }

    #[test]
    fn a_page_of_a_longer_list_is_noticed() {
        let page = r#"{"servers":[],"metadata":{"nextCursor":"abc"}}"#;
        assert!(Document::read(page, Format::Auto).unwrap().is_partial);
        let last = r#"{"servers":[],"metadata":{"nextCursor":""}}"#;
        assert!(!Document::read(last, Format::Auto).unwrap().is_partial);
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in [
            "",
            "null",
            "3",
            "{}",
            "[",
            "[{}",
            r#"{"data":{}}"#,
            r#"{"data":[]}"#,
            r#"{"servers":{}}"#,
            r#"{"servers":[]} x"#,
            r#"{"meta":{"last_updated":"soon"},"data":{"servers":[]}}"#,
        ] {
            assert!(Document::read(text, Format::Auto).is_err(), "{text}");
        }
    }

    #[test]
    fn a_chosen_format_is_not_guessed_again() {
        let official = r#"{"servers":[]}"#;
        assert!(Document::read(official, Format::Toolhive).is_err());
        assert!(Document::read(official, Format::Array).is_err());
        assert!(Document::read("[]", Format::Official).is_err());
    }
}
