//! YAML text to a JSON value: the one place that knows the YAML parser.

use serde_json::Value;

use super::ConfigError;

/// Parses one YAML document. An empty document is `Null`; a key given twice is an error.
///
/// # Errors
/// One error that says where the text stops being YAML.
pub fn parse(text: &str) -> Result<Value, ConfigError> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str(text).map_err(|error| ConfigError {
        path: String::new(),
        value: None,
        expected: format!("a YAML document ({})", first_line(&error.without_snippet().to_string())),
        nearest: None,
    })
}

/// The rest shows an excerpt of the document, which may hold secrets.
fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}
