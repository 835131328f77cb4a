//! Microsoft Entra ID.

use std::sync::Arc;

use serde_json::json;

use super::super::expected::Expected;
use super::refused::refused;
use super::{Scenario, Table, wrong_audience, wrong_issuer};
use crate::provider::vendor::Entra;

const API: &str = "66666666-7777-8888-9999-000000000000";

fn v2_user() -> Expected {
    Expected::forwarded()
        .upstream("x-auth-provider", "entra")
        .upstream("x-auth-subject", "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ")
        .upstream("x-auth-user", "Alice%20Example")
        .upstream("x-auth-scopes", "Servers.Read,Servers.Publish")
        .upstream("x-object-id", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
        .not_upstream("x-roles")
        .not_upstream("x-user-principal-name")
}

fn v1_user() -> Expected {
    Expected::forwarded()
        .upstream("x-auth-provider", "entra-v1")
        .upstream("x-auth-subject", "l3_roISQU222bULS9yi2k0XpqpOiMz5H3ZACo1GeXA")
        .upstream("x-auth-user", "Alice%20Example")
        .upstream("x-auth-scopes", "Servers.Read")
        .upstream("x-object-id", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
        .upstream("x-user-principal-name", "alice@example.com")
}

/// The document as it is.
pub fn entra() -> Scenario {
    let entra = Entra::new();
    Scenario::new("entra", Arc::clone(&entra) as _, move |table| {
        accepted(table, &entra);
        mixed_up(table, &entra);
        refused(table, API, &|| entra.v2_token());
        refused(table, &format!("api://{API}"), &|| entra.v1_token());
    })
}

fn accepted(table: &mut Table, entra: &Entra) {
    table
        .case("a user's v2 token", entra.v2_token(), v2_user())
        .case("a user's v1 token", entra.v1_token(), v1_user())
        .case("by a key that is not in use yet", entra.v2_token().key(entra.next()), v2_user())
        .case("by a key that came unannounced", entra.v2_token().key(entra.rotate()), v2_user())
        .case("by another one, in v1", entra.v1_token().key(entra.rotate()), v1_user())
        .case(
            "without a name",
            entra.v2_token().without("name"),
            Expected::forwarded().upstream("x-auth-user", "alice@example.com"),
        )
        .case(
            "an application's token",
            entra.application_token(),
            Expected::forwarded()
                .upstream("x-auth-subject", "bbbbbbbb-cccc-dddd-eeee-ffffffffffff")
                .upstream("x-roles", "Servers.Read.All")
                .not_upstream("x-auth-scopes")
                .not_upstream("x-auth-user"),
        )
        // Why the API's registration must be nobody's client: docs/providers.md.
        .case(
            "an ID token for the API's own registration, which nothing tells apart",
            entra.v2_token().without("scp").claim("nonce", "x"),
            Expected::forwarded().upstream("x-auth-provider", "entra").not_upstream("x-auth-scopes"),
        );
}

fn mixed_up(table: &mut Table, entra: &Entra) {
    let other_tenant = "99999999-2222-3333-4444-555555555555";
    let v1 = |tenant: &str| format!("https://sts.windows.net/{tenant}/");
    let v2 = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let tenant = "11111111-2222-3333-4444-555555555555";
    table
        .case("v1 for the client ID", entra.v1_token().audience(API), wrong_audience())
        .logs(format!(r#"401 (provider entra-v1): token audience not accepted: aud "{API}", expected "api://{API}""#))
        .case("v2 for the application ID URI", entra.v2_token().audience(format!("api://{API}")), wrong_audience())
        .case("v2 from another tenant", entra.v2_token().issuer(&v2(other_tenant)), wrong_issuer())
        .case("v1 from another tenant", entra.v1_token().issuer(&v1(other_tenant)), wrong_issuer())
        .case("v2 from no tenant", entra.v2_token().issuer(&v2("common")), wrong_issuer())
        .case("v2 from the template", entra.v2_token().issuer(&v2("{tenantid}")), wrong_issuer())
        .case("v2 with a slash", entra.v2_token().issuer(&format!("{}/", v2(tenant))), wrong_issuer())
        .case("v1 without its slash", entra.v1_token().issuer(v1(tenant).trim_end_matches('/')), wrong_issuer())
        .case("a B2C tenant", entra.v2_token().issuer(&format!("https://example.b2clogin.com/{tenant}/v2.0/")), wrong_issuer())
        .case(
            "a token for Microsoft Graph",
            entra.v1_token().audience("00000003-0000-0000-c000-000000000000").header("nonce", "x"),
            wrong_audience(),
        )
        .logs(format!(
            r#"401 (provider entra-v1): token audience not accepted: aud "00000003-0000-0000-c000-000000000000", expected "api://{API}""#
        ))
        .case("an ID token for a client's registration", entra.v2_token().audience("77777777-8888-9999-0000-111111111111"), wrong_audience())
        .case("an ID token with at_hash", entra.v2_token().claim("at_hash", "x"), Expected::wrong_type())
        // Keys without alg verify what fits their type, and no more.
        .case("RS512 with RS256's signature", entra.v2_token().header("alg", "RS512"), Expected::bad_signature())
        .case("PS256 with RS256's signature", entra.v2_token().header("alg", "PS256"), Expected::bad_signature())
        .case("for two APIs", entra.v2_token().audience(json!(["77777777-8888-9999-0000-111111111111"])), wrong_audience());
}

/// A document that knows v2 tokens only.
pub fn entra_without_v1() -> Scenario {
    let entra = Entra::new();
    Scenario::new("entra", Arc::clone(&entra) as _, move |table| {
        table
            .case("a v2 token", entra.v2_token(), v2_user())
            .case("a v1 token", entra.v1_token(), wrong_issuer())
            .logs(
                r#"401: token issuer not accepted: iss "https://sts.windows.net/11111111-2222-3333-4444-555555555555/", expected "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0" (an Entra ID v1 token: set requestedAccessTokenVersion to 2 in the API's manifest, or configure this issuer)"#,
            )
            .case("a v1 token for the client ID", entra.v1_token().audience(API), wrong_issuer());
    })
    .changed(|document| {
        let providers = document["auth"]["oauth"]["providers"].as_array_mut().expect("providers");
        providers.retain(|provider| provider["name"] == "entra");
    })
}
