//! Keycloak.

use std::sync::Arc;

use serde_json::json;

use super::super::expected::Expected;
use super::refused::refused;
use super::{Scenario, Table, expired, inactive, unknown_key, wrong_audience, wrong_issuer};
use crate::provider::Algorithm;
use crate::provider::vendor::{Exchange, Keycloak};

const SUBJECT: &str = "3f2b7c1e-52f7-4f6f-8f44-6f2b0f1f9a77";

fn alice() -> Expected {
    Expected::forwarded()
        .upstream("x-auth-provider", "keycloak")
        .upstream("x-auth-subject", SUBJECT)
        .upstream("x-auth-user", "Alice%20Example")
        .upstream("x-auth-scopes", "openid,email,profile")
        .upstream("x-realm-roles", "default-roles-mcp,offline_access,publisher")
        .upstream("x-registry-roles", "reader")
}

/// The document as it is.
pub fn keycloak() -> Scenario {
    let keycloak = Keycloak::new();
    Scenario::new("keycloak", Arc::clone(&keycloak) as _, move |table| {
        accepted(table, &keycloak);
        tokens_of_other_kinds(table, &keycloak);
        other_keys(table, &keycloak);
        opaque(table, &keycloak);
        refused(table, "registry-api", &|| keycloak.token());
    })
    .seen(introspects_opaque_tokens_only)
}

fn accepted(table: &mut Table, keycloak: &Keycloak) {
    table
        .case("a user's token", keycloak.token(), alice())
        .case("one audience as a text", keycloak.token().audience("registry-api"), alice())
        .case("signed before the rotation", keycloak.token().key(keycloak.previous()), alice())
        .case(
            "by a key on Ed25519",
            keycloak.token().algorithm(Algorithm::EdDsa).key(keycloak.ed25519()),
            alice(),
        )
        .case("without the claim typ", keycloak.token().without("typ"), alice())
        .case("typ at+jwt", keycloak.token().header("typ", "at+jwt"), alice())
        .case(
            "a client's own token",
            keycloak
                .token()
                .without("name")
                .without("realm_access")
                .without("resource_access")
                .claim("preferred_username", "service-account-mcp-client"),
            Expected::forwarded()
                .upstream("x-auth-user", "service-account-mcp-client")
                .not_upstream("x-realm-roles")
                .not_upstream("x-registry-roles"),
        );
}

fn tokens_of_other_kinds(table: &mut Table, keycloak: &Keycloak) {
    table
        .case("without an audience mapper: account", keycloak.token().audience("account"), wrong_audience())
        .logs(
            r#"401 (provider keycloak): token audience not accepted: aud "account", expected "registry-api""#,
        )
        .case("without an audience mapper: absent", keycloak.token().without("aud"), wrong_audience())
        .logs(r#"401 (provider keycloak): token audience not accepted: aud absent, expected "registry-api""#)
        .case(
            "other clients' audiences",
            keycloak.token().audience(json!(["account", "broker"])),
            wrong_audience(),
        );
    for typ in ["ID", "Refresh", "Offline", "Logout"] {
        table
            .case(format!("a token of typ {typ}"), keycloak.token().claim("typ", typ), Expected::wrong_type())
            .logs("401 (provider keycloak): token type not accepted: claim typ is not an access token's");
    }
    table
        .case(
            "a refresh token as it is signed",
            keycloak.token().claim("typ", "Refresh").header("alg", "HS512"),
            Expected::bad_signature(),
        )
        .case("a slash at the end of the issuer", keycloak.token().issuer("https://keycloak.example.com/realms/mcp/"), wrong_issuer())
        .logs(
            r#"401: token issuer not accepted: iss "https://keycloak.example.com/realms/mcp/", expected "https://keycloak.example.com/realms/mcp" (they differ in the trailing slash)"#,
        )
        .case("another realm", keycloak.token().issuer("https://keycloak.example.com/realms/master"), wrong_issuer())
        .case("the internal host's name", keycloak.token().issuer("http://keycloak:8080/realms/mcp"), wrong_issuer())
        .logs(r#"401: token issuer not accepted: iss "http://keycloak:8080/realms/mcp", expected "https://keycloak.example.com/realms/mcp""#);
}

/// At most three may name a kid that no usable key has: that is what one provider is asked for at once.
fn other_keys(table: &mut Table, keycloak: &Keycloak) {
    table
        .case("the key for encryption", keycloak.token().key(keycloak.encryption()), unknown_key())
        .case(
            "the key on a curve we do not know",
            keycloak.token().algorithm(Algorithm::EdDsa).kid(Keycloak::ED448_KID),
            unknown_key(),
        )
        .case(
            "the key of a type we do not know",
            keycloak.token().kid("post-quantum").header("alg", "ML-DSA-65"),
            Expected::bad_signature(),
        )
        .case(
            "the previous key under the present one's name",
            keycloak.token().key(keycloak.previous()).kid(keycloak.signing().kid()),
            Expected::bad_signature(),
        )
        .case(
            "the key for encryption under the present one's name",
            keycloak.token().key(keycloak.encryption()).kid(keycloak.signing().kid()),
            Expected::bad_signature(),
        );
}

fn opaque(table: &mut Table, keycloak: &Keycloak) {
    let session = |name: &str, more: serde_json::Value| {
        let mut answer = json!({
            "active": true, "aud": "registry-api", "sub": SUBJECT, "name": "Alice Example", "scope": "openid email profile",
            "iss": "https://keycloak.example.com/realms/mcp", "client_id": "mcp-client", "username": "alice", "token_type": "Bearer",
            "realm_access": { "roles": ["default-roles-mcp", "offline_access", "publisher"] },
            "resource_access": { "registry-api": { "roles": ["reader"] } },
        });
        for (name, value) in more.as_object().expect("an object") {
            answer[name] = value.clone();
        }
        keycloak.remember(name, answer);
        name.to_owned()
    };
    table
        .case("opaque, active", session("opaque/active+1=", json!({})), alice())
        .case("opaque, unknown", "opaque-unknown", inactive())
        .logs("401 (provider keycloak): token is not active")
        .case("opaque, logged out", session("opaque-inactive", json!({ "active": false })), inactive())
        .case("opaque, for account", session("opaque-account", json!({ "aud": "account" })), wrong_audience())
        .case("opaque, for nobody", session("opaque-nobody", json!({ "aud": null })), wrong_audience())
        .case(
            "opaque, of another realm",
            session("opaque-realm", json!({ "iss": "https://keycloak.example.com/realms/master" })),
            wrong_issuer(),
        )
        .logs(r#"401 (provider keycloak): token issuer not accepted: iss "https://keycloak.example.com/realms/master", expected "https://keycloak.example.com/realms/mcp""#)
        .case("opaque, expired", session("opaque-expired", json!({ "exp": 1_700_000_000 })), expired())
        .logs("401 (provider keycloak): token expired: exp 1700000000, now ")
        .case(
            "opaque, a refresh token",
            session("opaque-refresh", json!({ "typ": "Refresh" })),
            Expected::wrong_type(),
        )
        .case(
            "opaque, bound to a key",
            session("opaque-bound", json!({ "cnf": { "jkt": "x" } })),
            Expected::wrong_type(),
        )
        .case(
            "opaque, DPoP",
            session("opaque-dpop", json!({ "token_type": "DPoP" })),
            Expected::wrong_type(),
        );
}

fn introspects_opaque_tokens_only(exchanges: &[Exchange]) -> Result<(), String> {
    for exchange in exchanges.iter().filter(|exchange| exchange.request.method == "POST") {
        let form = String::from_utf8_lossy(&exchange.request.body);
        let sound = form.starts_with("token=opaque")
            && form.ends_with("&token_type_hint=access_token")
            && exchange.status == 200;
        if !sound {
            return Err(format!("introspection was asked {form:?} and answered {}", exchange.status));
        }
    }
    let others = exchanges.iter().filter(|exchange| exchange.request.method != "POST");
    match others.filter(|exchange| !exchange.request.values("authorization").is_empty()).count() {
        0 => Ok(()),
        credentials => Err(format!("{credentials} other requests with credentials")),
    }
}

/// The JWK Set cannot be had: JWTs are introspected.
pub fn keycloak_without_keys() -> Scenario {
    let keycloak = Keycloak::new();
    keycloak.lose_keys();
    Scenario::new("keycloak", Arc::clone(&keycloak) as _, move |table| {
        let known = |more| keycloak.known(keycloak.token().claim("jti", format!("{more}")), &more);
        table
            .case("a JWT the provider knows", known(json!({})), alice())
            .case(
                "only what the answer says counts",
                known(json!({ "scope": "other", "name": "Bob", "sub": "bob" })),
                Expected::forwarded()
                    .upstream("x-auth-subject", "bob")
                    .upstream("x-auth-user", "Bob")
                    .upstream("x-auth-scopes", "other"),
            )
            .case("a JWT whose session is over", keycloak.token(), inactive())
            .case("a forged JWT", keycloak.token().foreign_key(), inactive())
            .case("an answer without an audience", known(json!({ "aud": null })), wrong_audience())
            .case(
                "an answer for another issuer",
                known(json!({ "iss": "https://idp.example.org" })),
                wrong_issuer(),
            )
            .case("an answer that is expired", known(json!({ "exp": 1_700_000_000 })), expired())
            .case(
                "an answer about a refresh token",
                known(json!({ "typ": "Refresh" })),
                Expected::wrong_type(),
            )
            .case(
                "a JWT for somebody else",
                keycloak.known(keycloak.token().audience("account"), &json!({ "aud": "registry-api" })),
                wrong_audience(),
            )
            .case(
                "an expired JWT",
                keycloak.known(keycloak.token().expires_in(-60), &json!({ "exp": 4_000_000_000_u64 })),
                expired(),
            )
            .case(
                "alg none",
                keycloak.known(keycloak.token().unsigned(), &json!({})),
                Expected::bad_signature(),
            )
            .case(
                "another issuer's JWT",
                keycloak.known(keycloak.token().issuer("https://idp.example.org"), &json!({})),
                wrong_issuer(),
            );
    })
}

/// The client may not introspect.
pub fn keycloak_without_its_client() -> Scenario {
    let keycloak = Keycloak::new();
    Scenario::new("keycloak", Arc::clone(&keycloak) as _, move |table| {
        table
            .case("a JWT", keycloak.token(), alice())
            .case("an opaque token", "opaque", Expected::unavailable())
            .logs("provider keycloak: failed to introspect: https://keycloak.example.com/realms/mcp/protocol/openid-connect/token/introspect: status 401")
            .logs("503 (provider keycloak): identity provider unavailable")
            .case("another JWT", keycloak.token().claim("jti", "another"), alice());
    })
    .changed(|document| document["auth"]["oauth"]["providers"][0]["clientId"] = json!("another-client"))
}
