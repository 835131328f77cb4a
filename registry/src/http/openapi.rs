//! The API's own description. The YAML is the source, and a test holds the JSON to it.

/// `registry/openapi/openapi.json`.
pub(super) const JSON: &str = include_str!("../../openapi/openapi.json");
/// `registry/openapi/openapi.yaml`.
pub(super) const YAML: &str = include_str!("../../openapi/openapi.yaml");
