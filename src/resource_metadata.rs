//! OAuth 2.0 Protected Resource Metadata (RFC 9728; SPEC R-3): the document, and the requests for it.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::decision::LocalResponse;
use crate::policy::OauthPolicy;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The metadata of one resource, made once.
#[derive(Debug)]
pub struct ResourceMetadata {
    /// The path with the resource's own path inserted (RFC 9728 §3.1); the plain one where the resource has none.
    inserted_path: String,
    url: String,
    body: String,
    etag: String,
}

impl ResourceMetadata {
    /// Describes the resource of `policy`.
    pub fn new(policy: &OauthPolicy) -> Self {
        let resource = &policy.resource;
        let url = resource.url.join_well_known("oauth-protected-resource").as_str().to_owned();
        let suffix = resource.url.path().trim_end_matches('/');
        let mut issuers: Vec<&str> = Vec::new();
        for provider in &policy.providers {
            if !issuers.contains(&provider.issuer.as_str()) {
                issuers.push(&provider.issuer);
            }
        }
        let mut document = Map::new();
        document.insert("resource".to_owned(), json!(resource.url.as_str()));
        document.insert("authorization_servers".to_owned(), json!(issuers));
        document.insert("scopes_supported".to_owned(), json!(resource.scopes_supported));
        document.insert("bearer_methods_supported".to_owned(), json!(["header"]));
        if let Some(documentation) = &resource.documentation {
            document.insert("resource_documentation".to_owned(), json!(documentation.as_str()));
        }
        let body = Value::Object(document).to_string();
        let etag = Sha256::digest(body.as_bytes())
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        Self { inserted_path: format!("{WELL_KNOWN}{suffix}"), url, body, etag: format!("\"{etag}\"") }
    }

    /// Where clients find it: `resource_metadata` of challenges (RFC 9728 §5.1).
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether a canonical path without query is one of this document's.
    pub fn is_at(&self, path: &[u8]) -> bool {
        path.starts_with(WELL_KNOWN.as_bytes())
            && (path == WELL_KNOWN.as_bytes() || path == self.inserted_path.as_bytes())
    }

    /// Answers a request for it.
    pub fn respond(&self, method: &[u8], if_none_match: Option<&[u8]>) -> LocalResponse {
        let mut headers = vec![("access-control-allow-origin", "*".to_owned())];
        match method {
            b"GET" | b"HEAD" => {
                headers.push(("cache-control", "public, max-age=3600".to_owned()));
                headers.push(("etag", self.etag.clone()));
                if if_none_match.is_some_and(|value| self.matches(value)) {
                    return LocalResponse { status: 304, headers, body: Vec::new() };
                }
                headers.push(("content-type", "application/json".to_owned()));
                let body = if method == b"GET" { self.body.clone().into_bytes() } else { Vec::new() };
                LocalResponse { status: 200, headers, body }
            }
            b"OPTIONS" => {
                headers.push(("access-control-allow-methods", "GET, HEAD, OPTIONS".to_owned()));
                headers.push(("access-control-allow-headers", "*, Authorization".to_owned()));
                headers.push(("access-control-max-age", "3600".to_owned()));
                LocalResponse { status: 204, headers, body: Vec::new() }
            }
            _ => {
                headers.push(("allow", "GET, HEAD, OPTIONS".to_owned()));
                headers.push(("content-type", "application/json".to_owned()));
                headers.push(("cache-control", "no-store".to_owned()));
                let body =
                    json!({"error": "method_not_allowed", "error_description": "use GET, HEAD or OPTIONS"})
                        .to_string();
                LocalResponse { status: 405, headers, body: body.into_bytes() }
            }
        }
    }

    /// RFC 9110 §13.1.2, by weak comparison.
    fn matches(&self, if_none_match: &[u8]) -> bool {
        if_none_match
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == self.etag.as_bytes())
    }
}
