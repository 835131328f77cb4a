//! Google.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::expected::Expected;
use super::refused::refused;
use super::{Scenario, Table, expired, inactive, unknown_key, wrong_audience, wrong_issuer};
use crate::provider::vendor::{Exchange, Google};

const CLIENT: &str = "407408718192.apps.googleusercontent.com";

fn alice() -> Expected {
    Expected::forwarded()
        .upstream("x-auth-provider", "google")
        .upstream("x-auth-subject", "110169484474386276334")
        .upstream("x-auth-user", "alice@example.com")
        .upstream("x-auth-scopes", "openid,https://www.googleapis.com/auth/userinfo.email")
        .upstream("x-email", "alice@example.com")
}

/// The document as it is.
pub fn google() -> Scenario {
    let google = Google::new();
    Scenario::new("google", Arc::clone(&google) as _, move |table| {
        accepted(table, &google);
        not_accepted(table, &google);
        id_tokens(table, &google);
        // The last one: the endpoint is left alone for a while.
        table
            .case(
                "tokeninfo is out of order",
                google.answer_with("ya29.out-of-order", 500, "oops"),
                Expected::unavailable(),
            )
            .logs(
                "provider google: failed to introspect: https://oauth2.googleapis.com/tokeninfo: status 500",
            )
            .logs("503 (provider google): identity provider unavailable");
    })
    .seen(tokeninfo_is_asked_by_get_for_opaque_tokens_only)
}

fn accepted(table: &mut Table, google: &Google) {
    // However many dots there are.
    for token in [
        "ya29a0AfB_byC",
        "ya29.a0AfB_byC-x_y",
        "ya29.a0AfB.byC",
        "ya29.a0.AfB.byC",
        "ya29.a.b.c.d",
        "ya29.a0/AfB+byC==",
    ] {
        table.case(token, google.issue(token, &json!({})), alice());
    }
    table.case(
        "without the scope openid nobody knows who it is",
        google.issue("ya29.anonymous", &json!({ "sub": null, "email": null, "email_verified": null })),
        Expected::forwarded()
            .not_upstream("x-auth-subject")
            .not_upstream("x-auth-user")
            .not_upstream("x-email"),
    );
}

fn not_accepted(table: &mut Table, google: &Google) {
    let info = |token: &str, more: Value| google.issue(token, &more);
    table
        .case("unknown", "ya29.unknown", inactive())
        .logs("401 (provider google): token is not active")
        .case(
            "another application's",
            info("ya29.other", json!({ "aud": "1234.apps.googleusercontent.com" })),
            wrong_audience(),
        )
        .logs(r#"401 (provider google): token audience not accepted: aud "1234.apps.googleusercontent.com", expected "407408718192.apps.googleusercontent.com""#)
        .case(
            "ours as authorized party only",
            info("ya29.azp", json!({ "aud": "1234.apps.googleusercontent.com", "azp": CLIENT })),
            wrong_audience(),
        )
        .case("nobody's", info("ya29.nobody", json!({ "aud": null })), wrong_audience())
        .case(
            "an audience that begins with ours",
            info("ya29.longer", json!({ "aud": format!("{CLIENT}.example") })),
            wrong_audience(),
        )
        .case("expired", info("ya29.expired", json!({ "exp": "1700000000" })), expired())
        .case("expires some time", info("ya29.soon", json!({ "exp": "soon" })), Expected::malformed())
        .case(
            "of another issuer",
            info("ya29.issuer", json!({ "iss": "https://idp.example.org" })),
            wrong_issuer(),
        )
        .case("bound to a key", info("ya29.bound", json!({ "cnf": { "jkt": "x" } })), Expected::wrong_type());
}

/// None is an access token.
fn id_tokens(table: &mut Table, google: &Google) {
    table
        .case(
            "an ID token of a service account, for our client",
            google.id_token(),
            Expected::bad_signature(),
        )
        .logs("401 (provider google): token signature invalid: alg RS256 is not among allowedAlgorithms")
        .case("an ID token of a user", google.id_token().claim("at_hash", "x"), Expected::bad_signature())
        .case(
            "an ID token for somebody else",
            google.id_token().audience("https://other.example.com"),
            wrong_audience(),
        )
        .case("EdDSA, with Google's RSA key", google.id_token().header("alg", "EdDSA"), unknown_key())
        .case(
            "the issuer as Google once wrote it",
            google.id_token().issuer("accounts.google.com"),
            wrong_issuer(),
        );
}

fn tokeninfo_is_asked_by_get_for_opaque_tokens_only(exchanges: &[Exchange]) -> Result<(), String> {
    for exchange in exchanges {
        let target = String::from_utf8_lossy(&exchange.request.target);
        let sound = match exchange.host.as_str() {
            "oauth2.googleapis.com" => {
                target.starts_with("/tokeninfo?access_token=ya29") && exchange.request.body.is_empty()
            }
            "www.googleapis.com" => target == "/oauth2/v3/certs" && exchange.status == 200,
            _ => false,
        };
        if !sound || exchange.request.method != "GET" || !exchange.request.values("authorization").is_empty()
        {
            return Err(format!("{} was asked {} {target}", exchange.host, exchange.request.method));
        }
    }
    Ok(())
}

/// ID tokens are let in: their keys are on another host than their issuer.
pub fn google_with_id_tokens() -> Scenario {
    let google = Google::new();
    Scenario::new("google", Arc::clone(&google) as _, move |table| {
        let robot = || {
            Expected::forwarded()
                .upstream("x-auth-provider", "google")
                .upstream("x-auth-subject", "102345678901234567890")
                .upstream("x-email", "robot@project.iam.gserviceaccount.com")
        };
        table
            .case("a service account's", google.id_token(), robot())
            .case("by the next key", google.id_token().key(google.next()), robot())
            .case("an access token beside it", google.issue("ya29.a.b", &json!({})), alice())
            .case("a user's, with at_hash", google.id_token().claim("at_hash", "x"), Expected::wrong_type())
            .case(
                "for another application",
                google.id_token().audience("1234.apps.googleusercontent.com"),
                wrong_audience(),
            )
            .case(
                "the issuer as Google once wrote it",
                google.id_token().issuer("accounts.google.com"),
                wrong_issuer(),
            )
            .case(
                "a key that is not published",
                google.id_token().kid("0000000000000000000000000000000000000000"),
                unknown_key(),
            );
        refused(table, CLIENT, &|| google.id_token());
    })
    .changed(|document| {
        let provider = document["auth"]["oauth"]["providers"][0].as_object_mut().expect("a provider");
        provider.remove("allowedAlgorithms");
    })
    .seen(tokeninfo_is_asked_by_get_for_opaque_tokens_only)
}
