//! I-1, I-2, P-4: what the upstream learns, and what clients cannot tell it.

use serde_json::{Value, json};

use super::{Case, Document, Expected, World};
use crate::message::RawRequest;
use crate::provider::TokenSpec;

const SERVERS: &str = "/registry/default/v0.1/servers";
const SUBJECT: &str = "3f2b7c1e-52f7-4f6f-8f44-6f2b0f1f9a77";

pub(super) fn cases() -> Vec<Case> {
    [told(), encoded(), stripped(), claims(), tokens()].into_iter().flatten().collect()
}

fn case(name: &str, expected: Expected, spec: fn(TokenSpec) -> TokenSpec) -> Case {
    Case::new(
        "I-1",
        name,
        move |world: &World| RawRequest::get(SERVERS).bearer(&spec(world.token()).mint()),
        expected,
    )
}

fn told() -> Vec<Case> {
    let user = |value: &str| Expected::forwarded().upstream("x-auth-user", value);
    let scopes = |value: &str| Expected::forwarded().upstream("x-auth-scopes", value);
    vec![
        case(
            "the identity",
            Expected::forwarded()
                .upstream("x-auth-provider", "keycloak-prod")
                .upstream("x-auth-subject", SUBJECT)
                .upstream("x-auth-user", "Alice%20Example")
                .upstream("x-auth-scopes", "openid,mcp-registry:read"),
            |token| token,
        ),
        case("preferred_username where there is no name", user("alice"), |token| token.without("name")),
        case("email where there is neither", user("alice@example.com"), |token| {
            token.without("name").without("preferred_username")
        }),
        case("nothing where there is none", Expected::forwarded().not_upstream("x-auth-user"), |token| {
            token.without("name").without("preferred_username").without("email")
        }),
        case("a name that is not a string", user("alice"), |token| token.claim("name", json!(["x"]))),
        case("no sub", Expected::forwarded().not_upstream("x-auth-subject"), |token| token.without("sub")),
        case("no scope", Expected::forwarded().not_upstream("x-auth-scopes"), |token| token.without("scope")),
        case("scp as an array, as Okta sends it", scopes("a,b"), |token| {
            token.without("scope").claim("scp", json!(["a", "b"]))
        }),
        case("scp as a string, as Entra ID sends it", scopes("a,b"), |token| {
            token.without("scope").claim("scp", "a b")
        }),
        case("further spaces between scopes", scopes("a,b"), |token| token.scope(" a   b ")),
    ]
}

fn encoded() -> Vec<Case> {
    let mut cases = Vec::new();
    for (subject, value) in [
        ("alice smith", "alice%20smith"),
        ("100%", "100%25"),
        ("a%20b", "a%2520b"),
        ("é", "%C3%A9"),
        ("日本", "%E6%97%A5%E6%9C%AC"),
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil:%201"),
        ("tab\there", "tab%09here"),
        ("nul\0", "nul%00"),
        ("del\u{7f}", "del%7F"),
        (" edge ", "%20edge%20"),
        ("a,b;c=\"d\"", "a,b;c=\"d\""),
        ("!~", "!~"),
        ("system:serviceaccount:NS:NAME", "system:serviceaccount:NS:NAME"),
    ] {
        let request =
            move |world: &World| RawRequest::get(SERVERS).bearer(&world.token().subject(subject).mint());
        cases.push(Case::new(
            "I-1",
            format!("the subject {subject:?}"),
            request,
            Expected::forwarded().upstream("x-auth-subject", value).not_upstream("x-evil"),
        ));
    }
    cases.push(case(
        "a comma inside a scope",
        Expected::forwarded().upstream("x-auth-scopes", "a%2Cb,c"),
        |token| token.scope("a,b c"),
    ));
    cases.push(case(
        "a name from everywhere",
        Expected::forwarded().upstream("x-auth-user", "Zo%C3%AB%20%F0%9F%A6%80"),
        |token| token.claim("name", "Zoë 🦀"),
    ));
    cases
}

fn stripped() -> Vec<Case> {
    let mut cases = Vec::new();
    let spellings = [
        ("X-Auth-User", "x-auth-user"),
        ("x_auth_user", "x-auth-user"),
        ("X_AUTH_USER", "x-auth-user"),
        ("x-auth_user", "x-auth-user"),
        ("X-Auth-Subject", "x-auth-subject"),
        ("x_auth_subject", "x-auth-subject"),
        ("X-AUTH-PROVIDER", "x-auth-provider"),
        ("x_auth-provider", "x-auth-provider"),
        ("x-auth-scopes", "x-auth-scopes"),
        ("X_Auth_Scopes", "x-auth-scopes"),
        ("X-HTTP-Method-Override", "x-http-method-override"),
        ("x_http_method_override", "x-http-method-override"),
        ("X-Method-Override", "x-method-override"),
        ("X-Original-URL", "x-original-url"),
        ("x_original_url", "x-original-url"),
        ("X-Rewrite-URL", "x-rewrite-url"),
    ];
    for (name, plain) in spellings {
        let public = move |_: &World| RawRequest::get("/openapi.json").header(name, "forged");
        cases.push(Case::new(
            "P-4",
            format!("{name} on a public path"),
            public,
            Expected::forwarded().not_upstream(plain),
        ));
        let anonymous = move |_: &World| RawRequest::get(SERVERS).header(name, "forged");
        cases.push(
            Case::new(
                "I-1",
                format!("{name} in anonymous mode"),
                anonymous,
                Expected::forwarded().not_upstream(plain),
            )
            .under(Document::Anonymous),
        );
        let expected = match plain {
            "x-auth-user" => Expected::forwarded().upstream("x-auth-user", "Alice%20Example"),
            "x-auth-subject" => Expected::forwarded().upstream("x-auth-subject", SUBJECT),
            "x-auth-provider" => Expected::forwarded().upstream("x-auth-provider", "keycloak-prod"),
            "x-auth-scopes" => Expected::forwarded().upstream("x-auth-scopes", "openid,mcp-registry:read"),
            _ => Expected::forwarded().not_upstream(plain),
        };
        let authenticated = move |world: &World| {
            RawRequest::get(SERVERS).header(name, "forged").bearer(&world.token().mint())
        };
        cases.push(Case::new("I-1", format!("{name} beside a token"), authenticated, expected));
        let refused = move |_: &World| RawRequest::get(SERVERS).header(name, "forged");
        cases.push(Case::new(
            "I-1",
            format!("{name} is no credential"),
            refused,
            Expected::unauthenticated(),
        ));
    }
    let bytes = |world: &World| {
        RawRequest::get(SERVERS).header("X-Auth-User", b"\xff\xfe").bearer(&world.token().mint())
    };
    cases.push(Case::new(
        "I-1",
        "an identity header that is not UTF-8",
        bytes,
        Expected::forwarded().upstream("x-auth-user", "Alice%20Example"),
    ));
    let other = |world: &World| {
        RawRequest::get(SERVERS)
            .header("X-Bytes", b"caf\xe9")
            .header("X-Bytes", "2")
            .bearer(&world.token().mint())
    };
    cases.push(Case::new(
        "I-1",
        "other headers that are not UTF-8 pass",
        other,
        Expected::forwarded().upstream_all("x-bytes", &["caf\u{fffd}", "2"]),
    ));
    let absent = |world: &World| {
        RawRequest::get(SERVERS)
            .header("X-Auth-User", "forged")
            .bearer(&world.token().without("name").without("preferred_username").without("email").mint())
    };
    cases.push(Case::new(
        "I-1",
        "a forged header where the token says nothing",
        absent,
        Expected::forwarded().not_upstream("x-auth-user"),
    ));
    let similar = |_: &World| {
        RawRequest::get("/openapi.json")
            .header("X-Auth-Users", "kept")
            .header("X-Auth", "kept")
            .header("X-Original-Host", "kept")
    };
    cases.push(Case::new(
        "I-1",
        "similar names pass",
        similar,
        Expected::forwarded()
            .upstream("x-auth-users", "kept")
            .upstream("x-auth", "kept")
            .upstream("x-original-host", "kept"),
    ));

    for (first, second) in [
        ("X-Auth-User", "X-Auth-User"),
        ("x-auth-user", "X_Auth_User"),
        ("x_auth_subject", "x-auth_subject"),
        ("X-Original-URL", "x_original_url"),
    ] {
        for (document, target) in [
            (Document::Complete, SERVERS),
            (Document::Complete, "/openapi.json"),
            (Document::Anonymous, SERVERS),
        ] {
            let request = move |world: &World| {
                RawRequest::get(target).header(first, "a").header(second, "b").bearer(&world.token().mint())
            };
            cases.push(
                Case::new(
                    "HOSTS-13",
                    format!("{first} and {second} on {target}"),
                    request,
                    Expected::malformed_request(),
                )
                .under(document),
            );
        }
    }
    cases
}

fn claims() -> Vec<Case> {
    let under = |case: Case| case.under(Document::Claims);
    let mut cases: Vec<Case> = vec![
        case("a claim by name", Expected::forwarded().upstream("x-client", "mcp-client"), |token| token),
        case(
            "a claim inside an object, as a list",
            Expected::forwarded().upstream("x-roles", "offline_access,publisher"),
            |token| token,
        ),
        case(
            "a claim whose name has dots and slashes",
            Expected::forwarded().upstream("x-tenant", "t%201"),
            |token| token.claim("https://app.example/tenant", json!({ "id": "t 1" })),
        ),
        case("a number", Expected::forwarded().upstream("x-level", "7"), |token| token.claim("level", 7)),
        case("a boolean", Expected::forwarded().upstream("x-level", "true"), |token| {
            token.claim("level", true)
        }),
        case(
            "absent claims",
            Expected::forwarded().not_upstream("x-level").not_upstream("x-tenant"),
            |token| token,
        ),
        case("null", Expected::forwarded().not_upstream("x-level"), |token| {
            token.claim("level", Value::Null)
        }),
        case("a comma inside a role", Expected::forwarded().upstream("x-roles", "a%2Cb,c"), |token| {
            token.claim("realm_access", json!({ "roles": ["a,b", "c"] }))
        }),
        case(
            "line breaks in a role",
            Expected::forwarded().upstream("x-roles", "a%0D%0Ab").not_upstream("x-evil"),
            |token| token.claim("realm_access", json!({ "roles": ["a\r\nb"] })),
        ),
    ]
    .into_iter()
    .map(under)
    .collect();
    for name in ["X-Client", "x_client", "X-ROLES", "x_tenant", "X_Level"] {
        let public = move |_: &World| RawRequest::get("/openapi.json").header(name, "forged");
        let plain: &'static str = match name {
            "X-Client" | "x_client" => "x-client",
            "X-ROLES" => "x-roles",
            "x_tenant" => "x-tenant",
            _ => "x-level",
        };
        cases.push(
            Case::new(
                "I-1",
                format!("a forged {name} on a public path"),
                public,
                Expected::forwarded().not_upstream(plain),
            )
            .under(Document::Claims),
        );
        let absent = move |world: &World| {
            RawRequest::get(SERVERS)
                .header(name, "forged")
                .bearer(&world.token().without("azp").without("realm_access").mint())
        };
        cases.push(
            Case::new(
                "I-1",
                format!("a forged {name} where the token says nothing"),
                absent,
                Expected::forwarded().not_upstream(plain),
            )
            .under(Document::Claims),
        );
    }
    let unconfigured = |_: &World| RawRequest::get("/openapi.json").header("X-Client", "kept");
    cases.push(Case::new(
        "I-1",
        "headers that are not configured pass",
        unconfigured,
        Expected::forwarded().upstream("x-client", "kept"),
    ));
    cases
}

fn tokens() -> Vec<Case> {
    let with_token = |world: &World| RawRequest::get(SERVERS).bearer(&world.token().mint());
    vec![
        Case::new(
            "I-2",
            "the token is not forwarded",
            with_token,
            Expected::forwarded().not_upstream("authorization").upstream("x-auth-subject", SUBJECT),
        )
        .under(Document::Strict),
        Case::new(
            "I-2",
            "no Authorization is forwarded from a public path",
            |_| RawRequest::get("/custom-health").header("Authorization", "Basic YTpi"),
            Expected::forwarded().not_upstream("authorization"),
        )
        .under(Document::Strict),
        Case::new(
            "I-2",
            "the token is forwarded by default",
            |_| RawRequest::get("/openapi.json").bearer("some.other.token"),
            Expected::forwarded().upstream("authorization", "Bearer some.other.token"),
        ),
    ]
}
