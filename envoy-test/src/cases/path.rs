//! P-2: paths that two parties could read differently. Envoy normalises before the filter sees them, and refuses some by itself; both were measured
//! on 1.40 with `normalize_path`, `merge_slashes` and escaped slashes kept.

use super::{Case, Document, Expected, Host};
use crate::message::RawRequest;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let not_canonical = |target: &'static str| {
        Case::new(
            "P-2",
            format!("{target} is not public"),
            move |_| RawRequest::get(target),
            Expected::unauthenticated(),
        )
    };
    // The same everywhere: unchanged by Envoy, or changed into what is not public either.
    for target in [
        "/custom-health/../registry",
        "/custom-health/%2e%2e/registry",
        "/custom-health/%2E%2E/registry",
        "/custom-health/.%2e/registry",
        "/custom-health/..%2fregistry",
        "/custom-health/..%2Fregistry",
        "/custom-health/%2e%2e%2fregistry",
        "/custom-health/..%5cregistry",
        "/custom-health%2fcheck",
        "/custom-health/%2fcheck",
        "/custom-health%5ccheck",
        "/custom-health;a=b",
        "/custom-health/;/check",
        "/custom-health/..;/registry",
        "/custom-health/%01",
        "/custom-health/%0a",
        "/custom-health/%0D%0A",
        "/custom-health/%7f",
        "/custom-health/%zz",
        "/custom-health/%2",
        "/custom-health/%",
        "/openapi.json%2f",
        "/openapi.json;x",
        "/.well-known/..%2fregistry",
        "/.well-known/../registry",
        "/.well-known%2fx",
    ] {
        cases.push(not_canonical(target));
    }
    // Envoy makes them canonical, and what comes out is public.
    for (target, normalised) in [
        ("/registry/../custom-health", "/custom-health"),
        ("//custom-health", "/custom-health"),
        ("/custom-health//check", "/custom-health/check"),
        ("/custom-health/./check", "/custom-health/check"),
        ("/custom-health/%2e/check", "/custom-health/check"),
        ("/%63ustom-health", "/custom-health"),
        ("/custom%2dhealth", "/custom-health"),
        ("/custom-health\\check", "/custom-health/check"),
        ("/openapi%2ejson", "/openapi.json"),
        ("/%2ewell-known/x", "/.well-known/x"),
        ("/.well-known//x", "/.well-known/x"),
    ] {
        let case = not_canonical(target).in_host(Host::Envoy, Expected::forwarded_as(normalised));
        // A backslash is no character of a request target (RFC 9112 §3.2), and HTTP libraries say so.
        cases.push(if target.contains('\\') {
            case.in_host(Host::Tower, Expected::refused_by_host())
        } else {
            case
        });
    }
    cases.push(not_canonical("/custom-health/%00").in_host(Host::Envoy, Expected::refused_by_host()));

    let with_token = |target: &'static str| {
        Case::new(
            "P-2",
            format!("{target} passes unchanged with a token"),
            move |world| RawRequest::get(target).bearer(&world.token().mint()),
            Expected::forwarded(),
        )
    };
    for target in [
        "/registry/default/v0.1/servers/io.github.x%2Fy/versions",
        "/registry/default/v0.1/servers/io.github.x%2fy/versions/latest",
        "/a;b=c",
        "/a%5cb",
        "/a%01b",
        "/a%zz",
        "/a%",
        "/a/..%2fb",
        "/a?b=%2F../..//c;d",
        "/%C3%A9",
        "/",
    ] {
        cases.push(with_token(target));
    }
    for (target, normalised) in [("/a//b", "/a/b"), ("/a/../b", "/b"), ("/%61", "/a"), ("/a/.", "/a/")] {
        cases.push(with_token(target).in_host(Host::Envoy, Expected::forwarded_as(normalised)));
    }

    for document in [Document::Complete, Document::EverythingPublic] {
        for (what, target) in [
            ("a relative path", "registry/default"),
            ("an empty fragment", "/custom-health#"),
            ("a fragment", "/custom-health#/registry"),
            ("a fragment in the query", "/custom-health?a#b"),
            ("an asterisk", "*"),
        ] {
            let case = Case::new(
                "P-2",
                format!("{what} is 400"),
                move |_| RawRequest::get(target),
                Expected::malformed_request(),
            )
            .under(document);
            // HTTP libraries have parsed the target, and dropped the fragment, before the layer sees it; Envoy answers by itself.
            cases.push(case.impossible_in(Host::Tower).in_host(Host::Envoy, Expected::refused_by_host()));
        }
    }
    let relative = |world: &super::World| RawRequest::get("registry").bearer(&world.token().mint());
    cases.push(
        Case::new("P-2", "a token does not excuse a relative path", relative, Expected::malformed_request())
            .impossible_in(Host::Tower)
            .in_host(Host::Envoy, Expected::refused_by_host()),
    );
    cases.push(
        Case::new(
            "P-2",
            "CONNECT is refused",
            |_| RawRequest::new("CONNECT", "registry.example.com:443"),
            Expected::malformed_request(),
        )
        .impossible_in(Host::Tower)
        .in_host(Host::Envoy, Expected::refused_by_host()),
    );
    cases
}
