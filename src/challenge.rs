//! Refusals on the wire: `WWW-Authenticate` (RFC 6750 §3, RFC 9728 §5.1) and the JSON body (SPEC R-1, R-2).
//!
//! Nothing of the request enters a header: clients find parameters with unanchored patterns, and some hosts emit line breaks raw.

use crate::decision::LocalResponse;
use crate::rejection::Cause;

/// Seconds after which a client may try again when a provider is out of reach, or too many tokens came at once.
const RETRY_AFTER: &str = "5";

/// Makes the refusals of one resource.
#[derive(Debug)]
pub struct Challenges {
    realm: String,
    resource_metadata: String,
}

impl Challenges {
    /// For a realm and the URL of the resource's metadata.
    pub fn new(realm: &str, resource_metadata: &str) -> Self {
        Self { realm: quoted(realm), resource_metadata: quoted(resource_metadata) }
    }

    /// The response for `cause`. `scopes` are those the request needs. `with_body` is false for HEAD.
    pub fn refuse(&self, cause: Cause, scopes: &[String], with_body: bool) -> LocalResponse {
        let mut headers = Vec::with_capacity(4);
        headers.extend([("content-type", "application/json".into()), ("cache-control", "no-store".into())]);
        if cause.is_challenged() {
            headers.push(("www-authenticate", self.challenge(cause, scopes).into()));
        }
        if cause.status() == 503 {
            headers.push(("retry-after", RETRY_AFTER.into()));
        }
        // Put together, not formatted: refusals are to cost next to nothing.
        let body = joined(&[
            r#"{"error":""#,
            cause.code(),
            r#"","error_description":""#,
            cause.description(),
            r#""}"#,
        ]);
        LocalResponse {
            status: cause.status(),
            headers,
            body: if with_body { body.into_bytes() } else { Vec::new() },
        }
    }

    fn challenge(&self, cause: Cause, scopes: &[String]) -> String {
        let scope = if scopes.is_empty() { String::new() } else { quoted(&scopes.join(" ")) };
        let [error, quoted_error, description, quoted_description, end] = match cause.challenge_error() {
            Some(error) => [", error=\"", error, "\", error_description=\"", cause.description(), "\""],
            None => [""; 5],
        };
        let scope_parameter = if scope.is_empty() { "" } else { ", scope=" };
        joined(&[
            "Bearer realm=",
            &self.realm,
            error,
            quoted_error,
            description,
            quoted_description,
            end,
            ", resource_metadata=",
            &self.resource_metadata,
            scope_parameter,
            &scope,
        ])
    }
}

/// As `concat` does, which copies each part through three functions of its own where the filter is built to be small.
fn joined(parts: &[&str]) -> String {
    let mut joined = String::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        joined.push_str(part);
    }
    joined
}

/// A quoted-string (RFC 9110 §5.6.4) of printable ASCII; other characters are left out.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars().filter(|character| matches!(character, ' '..='~')) {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn challenge(realm: &str, cause: Cause, scopes: &[&str]) -> Option<String> {
        let scopes: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let response = Challenges::new(realm, "https://r.example/.well-known/oauth-protected-resource")
            .refuse(cause, &scopes, true);
        response
            .headers
            .into_iter()
            .find(|(name, _)| *name == "www-authenticate")
            .map(|(_, value)| value.into_owned())
    }

    #[test]
    fn without_credentials_there_is_no_error() {
        let expected = r#"Bearer realm="mcp-registry", resource_metadata="https://r.example/.well-known/oauth-protected-resource""#;
        assert_eq!(challenge("mcp-registry", Cause::NoCredentials, &[]).as_deref(), Some(expected));
    }

    #[test]
    fn a_refused_token_is_told_why_and_which_scopes_are_needed() {
        let expected = r#"Bearer realm="r", error="invalid_token", error_description="token expired", resource_metadata="https://r.example/.well-known/oauth-protected-resource", scope="a b""#;
        assert_eq!(challenge("r", Cause::Expired, &["a", "b"]).as_deref(), Some(expected));
    }

    #[test]
    fn a_realm_cannot_break_out_of_its_quotes() {
        let value = challenge("a\"b\\c\r\nx: y\u{e9}\0", Cause::NoCredentials, &[]).unwrap();
        assert!(value.starts_with(r#"Bearer realm="a\"b\\cx: y", resource"#), "{value}");
    }

    #[test]
    fn outages_are_not_challenged_and_say_when_to_try_again() {
        let response = Challenges::new("r", "m").refuse(Cause::KeysUnavailable, &[], true);
        assert_eq!(response.status, 503);
        assert!(response.headers.contains(&("retry-after", "5".into())));
        assert!(response.headers.iter().all(|(name, _)| *name != "www-authenticate"));
        assert_eq!(
            response.body,
            br#"{"error":"temporarily_unavailable","error_description":"identity provider unavailable"}"#
        );
    }

    #[test]
    fn head_gets_no_body() {
        assert!(Challenges::new("r", "m").refuse(Cause::Expired, &[], false).body.is_empty());
    }
}
