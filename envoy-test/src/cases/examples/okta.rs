//! Okta.

use std::sync::Arc;

use serde_json::json;

use super::super::expected::Expected;
use super::refused::refused;
use super::{Scenario, inactive, unknown_key, wrong_audience, wrong_issuer};
use crate::provider::vendor::{Exchange, Okta};

/// The document as it is.
pub fn okta() -> Scenario {
    let okta = Okta::new();
    Scenario::new("okta", Arc::clone(&okta) as _, move |table| {
        let alice = || {
            Expected::forwarded()
                .upstream("x-auth-provider", "okta")
                .upstream("x-auth-subject", "alice@example.com")
                .not_upstream("x-auth-user")
                .upstream("x-auth-scopes", "openid,mcp-registry:read")
                .upstream("x-groups", "Everyone,Registry%2C%20publishers")
                .upstream("x-client", "0oabcdefghijklmno5d7")
        };
        let org = "https://example.okta.com";
        table
            .case("a user's token, without typ", okta.token(), alice())
            .case("by the key that is published ahead", okta.token().key(okta.next()), alice())
            .case("with typ", okta.token().header("typ", "at+jwt"), alice())
            .case(
                "a service's token, without groups",
                okta.token().without("groups").without("uid").subject("0oabcdefghijklmno5d7").claim("scp", json!(["mcp-registry:read"])),
                Expected::forwarded().not_upstream("x-groups").upstream("x-auth-scopes", "mcp-registry:read"),
            )
            .case("a key that is not published", okta.token().kid("GJ9hVgk2q5nYh5mW0pXz6hB7tQ1rKcLdMn3oPs4uVw8"), unknown_key())
            .logs(r#"401 (provider okta): token signing key unknown: kid "GJ9hVgk2q5nYh5mW0pXz6hB7tQ1rKcLdMn3oPs4uVw8", alg RS256"#)
            .case("the organization's own token", okta.token().issuer(org).audience(org).header("typ", "okta-internal-at+jwt"), Expected::wrong_type())
            .logs(r#"401: token type not accepted: header typ "okta-internal-at+jwt" is not accepted"#)
            .case("the organization's own token, without typ", okta.token().issuer(org).audience(org), wrong_issuer())
            .logs(r#"401: token issuer not accepted: iss "https://example.okta.com", expected "https://example.okta.com/oauth2/default""#)
            .case("another authorization server", okta.token().issuer("https://example.okta.com/oauth2/aus1a2b3c4d5e6f7g8h9"), wrong_issuer())
            .case("a slash at the end of the issuer", okta.token().issuer("https://example.okta.com/oauth2/default/"), wrong_issuer())
            .case("another API's audience", okta.token().audience("api://billing"), wrong_audience())
            .logs(r#"401 (provider okta): token audience not accepted: aud "api://billing", expected "api://default""#)
            .case("an ID token", okta.token().audience("0oabcdefghijklmno5d7").claim("idp", "00o1").claim("nonce", "x"), wrong_audience());
        refused(table, "api://default", &|| okta.token().header("typ", "JWT"));
    })
    .seen(the_next_key_costs_nothing)
}

/// Once before anything, and once for the key that is not published.
fn the_next_key_costs_nothing(exchanges: &[Exchange]) -> Result<(), String> {
    let fetches =
        exchanges.iter().filter(|exchange| exchange.request.target == b"/oauth2/default/v1/keys").count();
    if fetches == 2 { Ok(()) } else { Err(format!("the keys were fetched {fetches} times")) }
}

/// With introspection, as the file says in its comments, and keys that cannot be had.
pub fn okta_with_introspection() -> Scenario {
    let okta = Okta::new();
    okta.known(okta.token(), &json!({}));
    Scenario::new("okta", Arc::clone(&okta) as _, move |table| {
        let known = |more| okta.known(okta.token().claim("jti", format!("{more}")), &more);
        table
            .case(
                "a JWT the provider knows",
                known(json!({})),
                Expected::forwarded()
                    .upstream("x-auth-subject", "alice@example.com")
                    .upstream("x-auth-scopes", "openid,mcp-registry:read")
                    .not_upstream("x-groups"),
            )
            .case("a JWT that was revoked", okta.token().claim("jti", "revoked"), inactive())
            .case("an opaque token", "opaque", inactive())
            .case("an answer for another API", known(json!({ "aud": "api://billing" })), wrong_audience())
            .case(
                "an answer of another server",
                known(json!({ "iss": "https://example.okta.com" })),
                wrong_issuer(),
            );
    })
    .changed(|document| {
        let provider = &mut document["auth"]["oauth"]["providers"][0];
        provider["introspectionUrl"] = json!("https://example.okta.com/oauth2/default/v1/introspect");
        provider["clientId"] = json!("0oaregistry");
        provider["clientSecretFile"] = json!("/etc/registry/okta-client-secret");
    })
}
