//! Auth0.

use std::sync::Arc;

use serde_json::json;

use super::super::expected::Expected;
use super::refused::refused;
use super::{Scenario, unknown_key, wrong_audience, wrong_issuer};
use crate::provider::vendor::{Auth0, Exchange};

const NOT_A_JWT: &str = "401: token is malformed: not a JWT, and no provider has an introspectionUrl";

/// The document as it is.
pub fn auth0() -> Scenario {
    let auth0 = Auth0::new();
    Scenario::new("auth0", Arc::clone(&auth0) as _, move |table| {
        let user = || {
            Expected::forwarded()
                .upstream("x-auth-provider", "auth0")
                .upstream("x-auth-subject", "auth0|507f1f77bcf86cd799439020")
                .not_upstream("x-auth-user")
                .upstream("x-auth-scopes", "openid,profile,mcp-registry:read")
                .upstream("x-permissions", "read:servers,publish:servers%2C%20all")
                .upstream("x-roles", "publisher")
        };
        let tenant = |path: &str| format!("https://example-tenant.eu.auth0.com{path}");
        table
            .case("a user's token, for two audiences", auth0.token(), user())
            .case("by RFC 9068's profile", auth0.token().header("typ", "at+jwt"), user())
            .case("by the next key", auth0.token().key(auth0.next()), user())
            .case(
                "a machine's token, for one",
                auth0.machine_token(),
                Expected::forwarded()
                    .upstream("x-auth-subject", "my_machine@clients")
                    .upstream("x-auth-scopes", "read:servers")
                    .not_upstream("x-permissions")
                    .not_upstream("x-roles"),
            )
            .case("no roles in an empty list", auth0.token().claim("permissions", json!([])), user_without_permissions())
            .case("for userinfo only", auth0.token().audience(json!([tenant("/userinfo")])), wrong_audience())
            .case("for the management API", auth0.token().audience(tenant("/api/v2/")), wrong_audience())
            .case("the identifier with a slash", auth0.token().audience("https://registry.example.com/"), wrong_audience())
            .logs(r#"401 (provider auth0): token audience not accepted: aud "https://registry.example.com/", expected "https://registry.example.com""#)
            .case("an ID token", auth0.token().audience("my_client_id").claim("nonce", "x"), wrong_audience())
            .case("an encrypted token", auth0.encrypted_token(), Expected::malformed())
            .logs(NOT_A_JWT)
            .case("an opaque token", "GJ9hVgk2q5nYh5mW0pXz6hB7tQ1rKcLd", Expected::malformed())
            .logs(NOT_A_JWT)
            .case("the issuer without its slash", auth0.token().issuer(&tenant("")), wrong_issuer())
            .logs(
                r#"401: token issuer not accepted: iss "https://example-tenant.eu.auth0.com", expected "https://example-tenant.eu.auth0.com/" (they differ in the trailing slash)"#,
            )
            .case("the custom domain", auth0.token().issuer("https://login.example.com/"), wrong_issuer())
            .logs(r#"401: token issuer not accepted: iss "https://login.example.com/", expected "https://example-tenant.eu.auth0.com/""#)
            .case("another region", auth0.token().issuer("https://example-tenant.us.auth0.com/"), wrong_issuer())
            .case("a key that is not published", auth0.token().kid("rotated_away_long_ago"), unknown_key());
        refused(table, "https://registry.example.com", &|| auth0.token());
    })
    .seen(no_double_slash)
}

fn user_without_permissions() -> Expected {
    Expected::forwarded().not_upstream("x-permissions").upstream("x-roles", "publisher")
}

fn no_double_slash(exchanges: &[Exchange]) -> Result<(), String> {
    let wrong = exchanges
        .iter()
        .find(|exchange| exchange.request.target.starts_with(b"//") || exchange.status != 200);
    wrong.map_or(Ok(()), |exchange| {
        Err(format!("asked for {}", String::from_utf8_lossy(&exchange.request.target)))
    })
}
