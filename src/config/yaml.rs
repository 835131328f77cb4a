//! The registry's YAML, for shells that read files (feature `yaml`).
//!
//! YAML 1.2: `yes` is a text. One document, a mapping at the top, no duplicate keys, bounded aliases. Errors have line and column, and never quote the
//! text around them: passwords may stand there.

use serde_json::Value;

use super::error::{ConfigError, ConfigErrors};

/// The longest document, in bytes.
const MAX_LENGTH: usize = 1024 * 1024;

/// Parses one YAML document; JSON is YAML, too.
///
/// # Errors
/// Where and how the text is not such a document; one error, because nothing after it can be trusted.
pub fn parse(text: &str) -> Result<Value, ConfigErrors> {
    if text.len() > MAX_LENGTH {
        return Err(error("", "at most 1 MiB").into());
    }
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: 64,
            max_aliases: 1000,
            max_nodes: 100_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
            max_replay_stack_depth: 16,
        },
    };
    let value: Value =
        serde_saphyr::from_str_with_options(text, options).map_err(|fault| describe(&fault))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(error("", "a mapping with the key auth at the top of the document").into())
    }
}

fn describe(fault: &serde_saphyr::Error) -> ConfigError {
    let place = fault.location().map(|place| format!("line {}, column {}", place.line(), place.column()));
    let expected = match fault.without_snippet() {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("each key once, not again: {key}")
        }
        serde_saphyr::Error::DuplicateMappingKey { key: None, .. } => "each key once".to_owned(),
        serde_saphyr::Error::MultipleDocuments { .. } => "one document, not a second one".to_owned(),
        other => {
            let text = other.to_string();
            let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
            format!("well-formed YAML ({message})")
        }
    };
    error(&place.unwrap_or_default(), &expected)
}

fn error(place: &str, expected: &str) -> ConfigError {
    ConfigError { path: place.to_owned(), value: None, expected: expected.to_owned(), nearest: None }
}
