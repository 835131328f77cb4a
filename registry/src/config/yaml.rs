//! YAML text to a JSON value: the core's reading, so that what is checked beside a proxy and what is served here are one document.

use registry_auth::config::yaml;
use serde_json::Value;

use super::ConfigError;

/// Parses one YAML document, a mapping at the top. An empty text is one without keys.
///
/// # Errors
/// One error that says where the text stops being such a document.
pub fn parse(text: &str) -> Result<Value, Vec<ConfigError>> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    yaml::parse(text).map_err(|errors| errors.iter().cloned().collect())
}
