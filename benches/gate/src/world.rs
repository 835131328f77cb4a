//! What surrounds the filter: its configurations, an identity provider's documents, the headers of a request.

use serde_json::{Value, json};

use crate::abi::HeaderMap;
use crate::error::GateError;
use crate::keys;

/// Seconds since 1970 when the filter starts: January 2027.
pub(crate) const NOW: u64 = 1_800_000_000;

/// The upstream's response has so many headers,
pub(crate) const RESPONSE_HEADERS: usize = 6;
/// and so many bytes, in one piece.
pub(crate) const RESPONSE_BODY: usize = 2000;

pub(crate) const ISSUER: &str = "https://idp.example.com/realms/mcp";
pub(crate) const AUDIENCE: &str = "registry-api";

/// Shared data on, as rendered for Envoy; a public path; room for every token that is measured.
pub(crate) fn configuration() -> String {
    configured(&Value::Null)
}

/// The same with scopes required by method and path.
pub(crate) fn configuration_with_scopes() -> String {
    configured(&json!([
        { "methods": ["POST", "PUT", "PATCH", "DELETE"], "scopes": ["mcp-registry:write"] },
        { "methods": ["GET", "HEAD"], "paths": ["/admin"], "scopes": ["mcp-registry:admin"] },
        { "methods": ["GET", "HEAD"], "paths": ["/v0", "/v0.1"], "scopes": ["mcp-registry:read"] },
    ]))
}

fn configured(required_scopes: &Value) -> String {
    let mut oauth = json!({
        "resourceUrl": "https://registry.example.com",
        "publicPaths": ["/health"],
        "tokenCache": { "size": 1_000_000 },
        // The clock stands still.
        "signatureLimits": { "perSecond": 1_000_000, "perClient": 1_000_000 },
        "providers": [{ "name": "keycloak", "issuerUrl": ISSUER, "audience": AUDIENCE }],
    });
    if let (Some(oauth), Some(_)) = (oauth.as_object_mut(), required_scopes.as_array()) {
        oauth.insert("requiredScopes".to_owned(), required_scopes.clone());
    }
    json!({ "auth": { "oauth": oauth }, "filter": { "sharedData": true } }).to_string()
}

/// What the identity provider says.
pub(crate) fn answer(path: &str) -> Result<(HeaderMap, Vec<u8>), GateError> {
    let (status, document) = match path {
        "/realms/mcp/.well-known/openid-configuration" => (
            "200",
            json!({ "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/protocol/openid-connect/certs") }),
        ),
        "/realms/mcp/protocol/openid-connect/certs" => ("200", keys::jwks()?),
        _ => ("404", json!({})),
    };
    let headers = [
        (":status", status),
        ("content-type", "application/json"),
        ("cache-control", "max-age=3600"),
        ("server", "idp"),
    ];
    Ok((map(&headers), document.to_string().into_bytes()))
}

/// The headers of an MCP client's request as they come out of Envoy's connection manager; with `authorization` sixteen.
pub(crate) fn request(method: &str, path: &str, authorization: Option<&str>) -> HeaderMap {
    let mut headers = map(&[
        (":authority", "registry.example.com"),
        (":path", path),
        (":method", method),
        (":scheme", "https"),
        ("user-agent", "mcp-client/1.4.2 (linux; x64) node/20.20.2"),
        ("accept", "application/json, text/event-stream"),
        ("accept-language", "*"),
        ("accept-encoding", "gzip, deflate, br"),
        ("sec-fetch-mode", "cors"),
        ("mcp-protocol-version", "2025-06-18"),
        ("mcp-session-id", "1868a90c-5f3e-4c4b-9f4b-0d3f5b5f8f11"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "3f6f5f7e-8d7c-4d0c-8c0b-5d1f2b7a9e10"),
    ]);
    if let Some(authorization) = authorization {
        headers.push(("authorization".to_owned(), authorization.to_owned()));
    }
    headers
}

fn map(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
