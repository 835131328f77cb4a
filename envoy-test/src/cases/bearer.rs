//! B-1: how a token may be presented.

use super::{Case, Document, Expected, Host, World};
use crate::message::RawRequest;

const SERVERS: &str = "/registry/default/v0.1/servers";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let request = move |world: &World| {
            RawRequest::get(SERVERS).header("Authorization", format!("{scheme} {}", world.token().mint()))
        };
        cases.push(Case::new(
            "B-1",
            format!("scheme {scheme}"),
            request,
            Expected::forwarded().upstream("x-auth-provider", "keycloak-prod"),
        ));
    }
    for name in ["Authorization", "authorization", "AUTHORIZATION"] {
        let request = move |world: &World| {
            RawRequest::get(SERVERS).header(name, format!("Bearer {}", world.token().mint()))
        };
        cases.push(Case::new("B-1", format!("header {name}"), request, Expected::forwarded()));
    }

    let mut none = |name: &str, request: fn(&World) -> RawRequest| {
        cases.push(Case::new("B-1", format!("no credentials: {name}"), request, Expected::unauthenticated()));
    };
    none("nothing", |_| RawRequest::get(SERVERS));
    none("an empty header", |_| RawRequest::get(SERVERS).header("Authorization", ""));
    none("Basic", |_| RawRequest::get(SERVERS).header("Authorization", "Basic YWxpY2U6c2VjcmV0"));
    none("Digest with commas", |_| {
        RawRequest::get(SERVERS).header("Authorization", r#"Digest username="a", realm="b""#)
    });
    none("DPoP", |world| {
        RawRequest::get(SERVERS).header("Authorization", format!("DPoP {}", world.token().mint()))
    });
    none("a bare token", |world| RawRequest::get(SERVERS).header("Authorization", world.token().mint()));
    none("BearerX", |world| {
        RawRequest::get(SERVERS).header("Authorization", format!("BearerX {}", world.token().mint()))
    });
    none("no space", |world| {
        RawRequest::get(SERVERS).header("Authorization", format!("Bearer{}", world.token().mint()))
    });
    none("in the query", |world| {
        RawRequest::get(&format!("{SERVERS}?access_token={}", world.token().mint()))
    });
    none("in a form", |world| {
        RawRequest::new("POST", SERVERS)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(format!("access_token={}", world.token().mint()))
    });
    none("in a cookie", |world| {
        RawRequest::get(SERVERS).header("Cookie", format!("access_token={}", world.token().mint()))
    });
    for name in [
        "Proxy-Authorization",
        "X-Authorization",
        "X-Forwarded-Authorization",
        "X-Access-Token",
        "X-Api-Key",
        "Authorization_",
    ] {
        let request = move |world: &World| {
            RawRequest::get(SERVERS).header(name, format!("Bearer {}", world.token().mint()))
        };
        cases.push(Case::new(
            "B-1",
            format!("no credentials: in {name}"),
            request,
            Expected::unauthenticated(),
        ));
    }

    let mut malformed = |name: &str, value: fn(&str) -> String| {
        let request = move |world: &World| {
            RawRequest::get(SERVERS).header("Authorization", value(&world.token().mint()))
        };
        cases.push(Case::new(
            "B-1",
            format!("malformed: {name}"),
            request,
            Expected::malformed_authorization(),
        ));
    };
    malformed("no token", |_| "Bearer".to_owned());
    malformed("two spaces", |token| format!("Bearer  {token}"));
    malformed("a tab", |token| format!("Bearer\t{token}"));
    malformed("a space and a tab", |token| format!("Bearer \t{token}"));
    malformed("quotes", |token| format!("Bearer \"{token}\""));
    malformed("single quotes", |token| format!("Bearer '{token}'"));
    malformed("something after the token", |token| format!("Bearer {token} x"));
    malformed("a second token", |token| format!("Bearer {token} {token}"));
    malformed("a parameter", |token| format!("Bearer token={token}"));
    malformed("a semicolon", |token| format!("Bearer {token};x"));
    malformed("an equals sign inside", |token| format!("Bearer a=b{token}"));
    malformed("padding in the middle of a JWT", |token| format!("Bearer {}", token.replacen('.', "=.", 1)));
    malformed("equals signs only", |_| "Bearer ==".to_owned());
    malformed("percent encoding", |token| format!("Bearer %20{token}"));
    malformed("angle brackets", |token| format!("Bearer <{token}>"));
    malformed("a curly bracket", |_| "Bearer {\"alg\":\"none\"}".to_owned());
    malformed("letters that are not ASCII", |token| format!("Bearer {token}é"));
    let not_text = |world: &World| {
        RawRequest::get(SERVERS)
            .header("Authorization", [b"Bearer ", world.token().mint().as_bytes(), b"\xff\xfe"].concat())
    };
    cases.push(Case::new(
        "B-1",
        "malformed: bytes that are not UTF-8",
        not_text,
        Expected::malformed_authorization(),
    ));

    let mut several = |name: &str, request: fn(&World) -> RawRequest| {
        cases.push(Case::new("B-1", format!("several: {name}"), request, Expected::several_credentials()));
    };
    several("two headers", |world| {
        RawRequest::get(SERVERS).bearer(&world.token().mint()).bearer(&world.token().subject("b").mint())
    });
    several("the same twice", |world| {
        let token = world.token().mint();
        RawRequest::get(SERVERS).bearer(&token).bearer(&token)
    });
    several("the second is not a token", |world| {
        RawRequest::get(SERVERS).bearer(&world.token().mint()).header("authorization", "Bearer x")
    });
    several("the first is Basic", |world| {
        RawRequest::get(SERVERS).header("Authorization", "Basic YTpi").bearer(&world.token().mint())
    });
    several("the second is Basic", |world| {
        RawRequest::get(SERVERS).bearer(&world.token().mint()).header("Authorization", "Basic YTpi")
    });
    several("a list", |world| {
        RawRequest::get(SERVERS)
            .header("Authorization", format!("Bearer {0}, Bearer {0}", world.token().mint()))
    });
    several("a list without spaces", |world| {
        RawRequest::get(SERVERS)
            .header("Authorization", format!("Bearer {0},Bearer {0}", world.token().mint()))
    });
    several("a list that begins with Basic", |world| {
        RawRequest::get(SERVERS)
            .header("Authorization", format!("Basic YTpi, Bearer {}", world.token().mint()))
    });

    cases.push(Case::new(
        "B-1",
        "empty duplicates are ignored",
        |world| {
            RawRequest::get(SERVERS)
                .header("Authorization", "")
                .bearer(&world.token().mint())
                .header("authorization", "")
        },
        Expected::forwarded(),
    ));
    cases.push(Case::new(
        "B-1",
        "16 KiB is not too long",
        |world| RawRequest::get(SERVERS).bearer(&sized(world, 16 * 1024)),
        Expected::forwarded(),
    ));
    for document in [Document::Complete, Document::Strict] {
        let longer =
            |world: &World| RawRequest::get(SERVERS).bearer(&format!("{}AAAAAA", sized(world, 16 * 1024)));
        cases.push(
            Case::new("B-1", "longer than 16 KiB is refused", longer, Expected::malformed()).under(document),
        );
    }
    cases.push(Case::new(
        "B-1",
        "longer than 16 KiB and no token at all",
        |_| RawRequest::get(SERVERS).bearer(&"a".repeat(16 * 1024 + 1)),
        Expected::malformed(),
    ));
    cases.push(
        Case::new(
            "B-1",
            "control characters",
            |_| RawRequest::get(SERVERS).header("Authorization", "Bearer \u{1}"),
            Expected::malformed_authorization(),
        )
        .in_host(Host::Envoy, Expected::refused_by_host())
        .in_host(Host::Tower, Expected::refused_by_host()),
    );
    cases
}

/// A good token of at most `length` bytes and at least `length - 4`: base64 does not come in every length.
fn sized(world: &World, length: usize) -> String {
    let padded = |padding: usize| world.token().claim("padding", "x".repeat(padding)).mint();
    let empty = padded(0).len();
    (0..4)
        .map(|less| padded((length - empty) * 3 / 4 - less))
        .find(|token| token.len() <= length)
        .unwrap_or_default()
}
