//! the protected resource metadata (RFC 9728).

use serde_json::{Value, json};

use super::{Case, Document, Expected, World};
use crate::message::RawRequest;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
const INSERTED: &str = "/.well-known/oauth-protected-resource/mcp/registry";

pub(super) fn cases() -> Vec<Case> {
    // Envoy takes Content-Type from a response without a body, which RFC 9110 §9.3.2 allows for HEAD.
    let found_by_head = || {
        Expected::answered(200)
            .header("cache-control", "public, max-age=3600")
            .header("access-control-allow-origin", "*")
            .no_header("www-authenticate")
            .no_body()
    };
    let found = || {
        Expected::answered(200)
            .header("content-type", "application/json")
            .header("cache-control", "public, max-age=3600")
            .header("access-control-allow-origin", "*")
            .no_header("www-authenticate")
    };
    let mut cases = vec![
        Case::new("R-3", "GET", |_| RawRequest::get(WELL_KNOWN), found().json(complete)),
        Case::new(
            "R-3",
            "GET with a query",
            |_| RawRequest::get("/.well-known/oauth-protected-resource?x=/mcp"),
            found().json(complete),
        ),
        Case::new("R-3", "HEAD", |_| RawRequest::new("HEAD", WELL_KNOWN), found_by_head()),
        Case::new(
            "R-3",
            "GET with a bad token",
            |_| RawRequest::get(WELL_KNOWN).bearer("nonsense"),
            found().json(complete),
        ),
        Case::new(
            "R-3",
            "GET with another ETag",
            |_| RawRequest::get(WELL_KNOWN).header("If-None-Match", "\"other\""),
            found().json(complete),
        ),
        Case::new(
            "R-3",
            "GET with any ETag",
            |_| RawRequest::get(WELL_KNOWN).header("If-None-Match", "*"),
            Expected::answered(304).no_body(),
        ),
        Case::new(
            "R-3",
            "OPTIONS",
            |_| RawRequest::new("OPTIONS", WELL_KNOWN),
            Expected::answered(204).no_body().header("access-control-allow-origin", "*"),
        ),
        Case::new(
            "R-3",
            "a preflight",
            |_| {
                RawRequest::new("OPTIONS", WELL_KNOWN)
                    .header("Origin", "https://app.example.com")
                    .header("Access-Control-Request-Method", "GET")
            },
            Expected::answered(204).no_body().header("access-control-allow-origin", "*"),
        ),
        Case::new(
            "R-3",
            "the host of the client is not believed",
            |_| RawRequest::get(WELL_KNOWN).header("Host", "evil.example"),
            found().json(complete),
        ),
        Case::new(
            "R-3",
            "at the path of the resource, by RFC 9728 §3.1",
            |_| RawRequest::get(INSERTED),
            found().json(with_path),
        )
        .under(Document::Path),
        Case::new(
            "R-3",
            "without the resource's path",
            |_| RawRequest::get(WELL_KNOWN),
            found().json(with_path),
        )
        .under(Document::Path),
        Case::new(
            "R-3",
            "HEAD at the resource's path",
            |_| RawRequest::new("HEAD", INSERTED),
            found_by_head(),
        )
        .under(Document::Path),
    ];
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        for target in [WELL_KNOWN, INSERTED] {
            let case = Case::new(
                "R-3",
                format!("{method} {target}"),
                move |_: &World| RawRequest::new(method, target),
                Expected::answered(405),
            );
            cases.push(case.under(Document::Path));
        }
    }
    for target in [
        "/.well-known/oauth-protected-resource/",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource/mcp/registry/x",
        "/.well-known/oauth-protected-resources",
        "/.well-known/oauth-authorization-server",
    ] {
        let case = Case::new(
            "R-3",
            format!("{target} is the upstream's"),
            move |_: &World| RawRequest::get(target),
            Expected::forwarded(),
        );
        cases.push(case.under(Document::Path));
    }
    for method in ["GET", "POST", "OPTIONS"] {
        let case = Case::new(
            "R-3",
            format!("anonymous mode: {method} is the upstream's"),
            move |_: &World| RawRequest::new(method, WELL_KNOWN),
            Expected::forwarded(),
        );
        cases.push(case.under(Document::Anonymous));
    }
    cases
}

fn complete(world: &World) -> Value {
    json!({
        "resource": "https://registry.example.com",
        "authorization_servers": [world.issuer("production"), world.issuer("staging")],
        "scopes_supported": ["mcp-registry:read", "mcp-registry:write"],
        "bearer_methods_supported": ["header"],
    })
}

fn with_path(world: &World) -> Value {
    json!({
        "resource": "https://registry.example.com/mcp/registry",
        "authorization_servers": [world.issuer("production"), world.issuer("staging")],
        "scopes_supported": ["one"],
        "bearer_methods_supported": ["header"],
        "resource_documentation": "https://docs.example.com/registry",
    })
}
