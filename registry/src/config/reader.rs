//! Reading a JSON value key by key, so that every error is collected with its path.

use registry_auth::config::{nearest, shown};
use serde_json::{Map, Value};

use super::ConfigError;

/// Collects errors; what could not be read is `None`.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) errors: Vec<ConfigError>,
}

impl Reader {
    /// Adds an error that has no nearest key.
    pub(super) fn error(&mut self, path: &str, value: Option<&Value>, expected: impl Into<String>) {
        self.errors.push(ConfigError {
            path: path.to_owned(),
            value: value.map(shown),
            expected: expected.into(),
            nearest: None,
        });
    }

    /// An object with these keys only. Null, an empty section in YAML, is an empty object.
    pub(super) fn object<'v>(
        &mut self,
        value: &'v Value,
        path: &str,
        keys: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        let map = match value {
            Value::Object(map) => map,
            Value::Null => return Some(&EMPTY),
            other => {
                self.error(path, Some(other), format!("a mapping with {}", listed(keys)));
                return None;
            }
        };
        for key in map.keys().filter(|key| !keys.contains(&key.as_str())) {
            self.errors.push(ConfigError {
                path: join(path, key),
                // What stands under a mistyped key may be a secret.
                value: None,
                expected: format!("one of {}", listed(keys)),
                nearest: nearest(key, keys).map(str::to_owned),
            });
        }
        Some(map)
    }

    /// A list; absent and null are an empty one.
    pub(super) fn list<'v>(&mut self, map: &'v Map<String, Value>, path: &str, key: &str) -> &'v [Value] {
        match map.get(key) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.error(&join(path, key), Some(other), "a list");
                &[]
            }
        }
    }

    /// A string that is not blank; `None`, with an error, where there is none.
    pub(super) fn required<'v>(
        &mut self,
        map: &'v Map<String, Value>,
        path: &str,
        key: &str,
    ) -> Option<&'v str> {
        let place = join(path, key);
        match map.get(key) {
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text),
            None | Some(Value::Null) => {
                self.error(&place, None, "a string (required)");
                None
            }
            Some(other) => {
                self.error(&place, Some(other), "a string that is not blank");
                None
            }
        }
    }

    /// An optional string, parsed; the parser's error says what was expected.
    pub(super) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        map: &Map<String, Value>,
        path: &str,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = map.get(key).filter(|value| !value.is_null())?;
        let place = join(path, key);
        let Value::String(text) = value else {
            self.error(&place, Some(value), "a string");
            return None;
        };
        match parse(text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.error(&place, Some(value), error.to_string());
                None
            }
        }
    }
}

/// `path.key`, or `key` at the top.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Names in backquotes, separated by commas.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
