//! OAuth 2.0 Protected Resource Metadata (RFC 9728; SPEC R-3): the document, and the requests for it.

use serde_json::json;
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
        let mut members = vec![
            ("resource", json!(resource.url.as_str())),
            ("authorization_servers", json!(issuers)),
            ("scopes_supported", json!(resource.scopes_supported)),
            ("bearer_methods_supported", json!(["header"])),
        ];
        if let Some(documentation) = &resource.documentation {
            members.push(("resource_documentation", json!(documentation.as_str())));
        }
        // In RFC 9728's order, which a JSON map of ours would not keep.
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let body = format!("{{{}}}", members.join(","));
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
        let mut headers = vec![("access-control-allow-origin", "*".into())];
        match method {
            b"GET" | b"HEAD" => {
                headers.push(("cache-control", "public, max-age=3600".into()));
                headers.push(("etag", self.etag.clone().into()));
                if if_none_match.is_some_and(|value| self.matches(value)) {
                    return LocalResponse { status: 304, headers, body: Vec::new() };
                }
                headers.push(("content-type", "application/json".into()));
                let body = if method == b"GET" { self.body.clone().into_bytes() } else { Vec::new() };
                LocalResponse { status: 200, headers, body }
            }
            b"OPTIONS" => {
                headers.push(("access-control-allow-methods", "GET, HEAD, OPTIONS".into()));
                headers.push(("access-control-allow-headers", "*, Authorization".into()));
                headers.push(("access-control-max-age", "3600".into()));
                LocalResponse { status: 204, headers, body: Vec::new() }
            }
            _ => {
                headers.push(("allow", "GET, HEAD, OPTIONS".into()));
                headers.push(("content-type", "application/json".into()));
                headers.push(("cache-control", "no-store".into()));
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

#[cfg(test)]
mod tests {
    use serde_json::Value;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::Environment;
    use crate::policy::Policy;

    fn metadata(resource_url: &str) -> ResourceMetadata {
        let provider = |name, issuer| json!({"name": name, "issuerUrl": issuer, "audience": "a"});
        let document = json!({"auth": {"oauth": {
            "resourceUrl": resource_url,
            "resourceDocumentation": "https://docs.example.com/registry",
            "providers": [
                provider("b", "https://b.example.com"), provider("a", "https://a.example.com/"), provider("b2", "https://b.example.com"),
            ],
        }}});
        match Policy::from_document(&document, &Environment::default()).unwrap().policy {
            Policy::Oauth(policy) => ResourceMetadata::new(&policy),
            Policy::Anonymous => panic!("oauth"),
        }
    }

    #[test]
    fn the_document_names_each_issuer_once_in_order() {
        let response = metadata("https://registry.example.com").respond(b"GET", None);
        let expected = concat!(
            r#"{"resource":"https://registry.example.com","authorization_servers":["https://b.example.com","https://a.example.com/"],"#,
            r#""scopes_supported":["mcp-registry:read","mcp-registry:write"],"bearer_methods_supported":["header"],"#,
            r#""resource_documentation":"https://docs.example.com/registry"}"#
        );
        assert_eq!(String::from_utf8(response.body).unwrap(), expected);
        assert!(serde_json::from_str::<Value>(expected).is_ok());
    }

    #[test]
    fn it_is_found_at_the_plain_path_and_with_the_resources_path_inserted() {
        let plain = metadata("https://registry.example.com");
        assert_eq!(plain.url(), "https://registry.example.com/.well-known/oauth-protected-resource");
        assert!(plain.is_at(b"/.well-known/oauth-protected-resource"));
        let inserted = metadata("https://registry.example.com/registry/default");
        assert_eq!(
            inserted.url(),
            "https://registry.example.com/.well-known/oauth-protected-resource/registry/default"
        );
        assert!(inserted.is_at(b"/.well-known/oauth-protected-resource"));
        assert!(inserted.is_at(b"/.well-known/oauth-protected-resource/registry/default"));
        for path in [
            "/.well-known/oauth-protected-resource/",
            "/.well-known/oauth-protected-resource/registry",
            "/.well-known/oauth",
        ] {
            assert!(!inserted.is_at(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn methods_and_conditions_are_answered() {
        let metadata = metadata("https://registry.example.com");
        let get = metadata.respond(b"GET", None);
        let (_, etag) = get.headers.iter().find(|(name, _)| *name == "etag").unwrap();
        for matching in [etag.to_string(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            assert_eq!(metadata.respond(b"GET", Some(matching.as_bytes())).status, 304, "{matching}");
        }
        assert_eq!(metadata.respond(b"GET", Some(b"\"x\"")).status, 200);
        let head = metadata.respond(b"HEAD", None);
        assert_eq!((head.status, head.headers, head.body.is_empty()), (200, get.headers, true));
        assert_eq!(metadata.respond(b"OPTIONS", None).status, 204);
        for method in ["POST", "PUT", "DELETE", "get", ""] {
            assert_eq!(metadata.respond(method.as_bytes(), None).status, 405, "{method}");
        }
    }
}
