//! Cross-origin requests (WHATWG Fetch §3.2; SPEC R-4): preflights are answered here, and refusals and the upstream's responses made readable for
//! allowed origins.

use crate::decision::LocalResponse;
use crate::policy::CorsPolicy;

/// What the upstream may not say to browsers where `cors` is configured: it is said here. The other headers of the kind mean something in answers to
/// preflights only.
pub const REPLACED: [&str; 3] =
    ["access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"];

/// Who may read the response to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// Its place in `allowOrigins`.
    allowed: Option<usize>,
    is_cross_origin: bool,
}

impl Sharing {
    /// Of a request with this `Origin`.
    pub fn new(policy: &CorsPolicy, origin: Option<&[u8]>) -> Self {
        let is_allowed =
            |origin: &[u8]| policy.allow_origins.iter().position(|it| it == "*" || it.as_bytes() == origin);
        Self { allowed: origin.and_then(is_allowed), is_cross_origin: origin.is_some() }
    }

    /// Headers to remove from the upstream's response, before [`headers`] are added. Nobody reads them without an `Origin`.
    pub const fn removed(self) -> &'static [&'static str] {
        if self.is_cross_origin { &REPLACED } else { &[] }
    }
}

/// Headers to add to a response. Values are the configuration's text, never the request's.
pub fn headers(policy: &CorsPolicy, sharing: Sharing) -> impl Iterator<Item = (&'static str, &str)> {
    let allowed = sharing.allowed.and_then(|place| policy.allow_origins.get(place));
    let is_for_all = policy.allow_origins.iter().any(|origin| origin == "*");
    let for_browsers = allowed.map(|origin| {
        [
            ("access-control-allow-origin", origin.as_str()),
            ("access-control-expose-headers", "WWW-Authenticate"),
        ]
    });
    // Also without an Origin: a cache must not give to one origin what was made for another, or for none (Fetch §3.2.5).
    let for_caches = (!is_for_all).then_some(("vary", "Origin"));
    for_browsers.into_iter().flatten().chain(for_caches)
}

/// Answers a preflight. One from another origin is answered too, without permission.
pub fn preflight(policy: &CorsPolicy, sharing: Sharing) -> LocalResponse {
    let mut headers =
        vec![("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers".into())];
    if let Some(origin) = sharing.allowed.and_then(|place| policy.allow_origins.get(place)) {
        headers.push(("access-control-allow-origin", origin.to_owned().into()));
        headers.push(("access-control-allow-methods", policy.allow_methods.join(", ").into()));
        headers.push(("access-control-allow-headers", policy.allow_headers.join(", ").into()));
        headers.push(("access-control-max-age", policy.max_age.as_secs().to_string().into()));
    }
    LocalResponse { status: 204, headers, body: Vec::new() }
}

/// Lets a browser read a refusal and its challenge.
pub fn expose(response: &mut LocalResponse, policy: &CorsPolicy, sharing: Sharing) {
    response.headers.extend(headers(policy, sharing).map(|(name, value)| (name, value.to_owned().into())));
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use std::time::Duration;

    use super::*;

    fn policy(origins: &[&str]) -> CorsPolicy {
        CorsPolicy {
            allow_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
            allow_methods: Vec::new(),
            allow_headers: Vec::new(),
            max_age: Duration::ZERO,
        }
    }

    fn told(origins: &[&str], origin: Option<&[u8]>) -> (usize, Vec<String>) {
        let policy = policy(origins);
        let sharing = Sharing::new(&policy, origin);
        let headers = headers(&policy, sharing).map(|(name, value)| format!("{name}: {value}"));
        (sharing.removed().len(), headers.collect())
    }

    const ALLOW: &str = "access-control-allow-origin: https://b.example";
    const EXPOSE: &str = "access-control-expose-headers: WWW-Authenticate";
    const VARY: &str = "vary: Origin";

    #[test]
    fn an_allowed_origin_is_told_by_the_configurations_text() {
        let origins = ["https://a.example", "https://b.example"];
        assert_eq!(
            told(&origins, Some(b"https://b.example")),
            (3, vec![ALLOW.into(), EXPOSE.into(), VARY.into()])
        );
        let any = "access-control-allow-origin: *".to_owned();
        assert_eq!(told(&["*"], Some(b"https://c.example\r\nx: y")), (3, vec![any, EXPOSE.into()]));
    }

    #[test]
    fn nobody_else_is_allowed_and_caches_know() {
        for origin in [
            &b"https://c.example"[..],
            b"https://b.example.evil.example",
            b"HTTPS://B.EXAMPLE",
            b"null",
            b"",
            b"*",
            b"\xff",
        ] {
            assert_eq!(told(&["https://b.example"], Some(origin)), (3, vec![VARY.into()]));
        }
        assert_eq!(told(&["https://b.example"], None), (0, vec![VARY.into()]));
        assert_eq!(told(&["*"], None), (0, vec![]));
    }
}
