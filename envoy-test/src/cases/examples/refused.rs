//! What no provider's token may be.

use serde_json::json;

use super::super::expected::Expected;
use super::{Table, expired, wrong_audience, wrong_issuer};
use crate::provider::{Damage, TokenSpec};

/// Variations of a good token, for `audience`, that are refused whoever issued it.
pub(super) fn refused(table: &mut Table, audience: &str, token: &dyn Fn() -> TokenSpec) {
    let not_yet_valid = || Expected::invalid_token("token not yet valid");
    table
        .case("expired", token().expires_in(-60), expired())
        .case("expires as a text", token().claim("exp", "4000000000"), Expected::malformed())
        .case("without an expiry", token().without("exp"), Expected::malformed())
        .case("not valid before", token().not_before_in(300), not_yet_valid())
        .case("issued in the future", token().issued_in(300), not_yet_valid())
        .case(
            "a key of somebody's under the provider's name",
            token().foreign_key(),
            Expected::bad_signature(),
        )
        .case("no signature", token().unsigned(), Expected::bad_signature())
        .case("HS256 with the public key", token().hmac_of_public_pem(), Expected::bad_signature())
        .case("an extension nobody understands", token().header("crit", json!(["x"])), Expected::malformed())
        .case("a kid that is no text", token().kid(7), Expected::malformed())
        .case("bound to a key", token().claim("cnf", json!({ "jkt": "0ZcOCORZNYy" })), Expected::wrong_type())
        .case("an ID token's at_hash", token().claim("at_hash", "x"), Expected::wrong_type())
        .case("an ID token's c_hash", token().claim("c_hash", "x"), Expected::wrong_type())
        .case("no issuer", token().without("iss"), wrong_issuer())
        .case("a list of issuers", token().edit_claims(list_of_issuers), wrong_issuer())
        .case("somebody else's issuer", token().issuer("https://idp.example.org"), wrong_issuer());
    for damage in [
        Damage::PayloadChanged,
        Damage::HeaderChanged,
        Damage::SignatureBitFlipped,
        Damage::SignatureTruncated,
    ] {
        table.case(format!("{damage:?}"), token().damage(damage), Expected::bad_signature());
    }
    for typ in ["id+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt"] {
        table.case(format!("typ {typ}"), token().header("typ", typ), Expected::wrong_type());
    }
    table.case("no audience", token().without("aud"), wrong_audience());
    for aud in [
        json!("other"),
        json!(""),
        json!([]),
        json!(["other", "another"]),
        json!([audience, 7]),
        json!({ "aud": audience }),
        json!(format!("{audience}/")),
        json!(format!(" {audience}")),
        json!(audience.trim_end_matches(|end: char| end.is_ascii_alphanumeric())),
        json!(format!("{audience} other")),
    ] {
        table.case(format!("aud {aud}"), token().audience(aud), wrong_audience());
    }
}

fn list_of_issuers(claims: String) -> String {
    let mut claims: serde_json::Value = serde_json::from_str(&claims).expect("JSON");
    claims["iss"] = json!([claims["iss"]]);
    claims.to_string()
}
