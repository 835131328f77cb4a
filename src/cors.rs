//! Cross-origin requests (WHATWG Fetch §3.2; SPEC R-4): preflights answered, and refusals made readable for allowed origins.

use crate::decision::LocalResponse;
use crate::policy::CorsPolicy;

/// The `Access-Control-Allow-Origin` for a request's `Origin`, if it is allowed. It is the configuration's text, never the request's.
pub fn allow_origin<'a>(policy: &'a CorsPolicy, origin: Option<&[u8]>) -> Option<&'a str> {
    let origin = origin?;
    policy
        .allow_origins
        .iter()
        .find(|allowed| *allowed == "*" || allowed.as_bytes() == origin)
        .map(String::as_str)
}

/// Answers a preflight. One from another origin is answered too, without permission.
pub fn preflight(policy: &CorsPolicy, origin: Option<&[u8]>) -> LocalResponse {
    let mut headers =
        vec![("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers".to_owned())];
    if let Some(origin) = allow_origin(policy, origin) {
        headers.push(("access-control-allow-origin", origin.to_owned()));
        headers.push(("access-control-allow-methods", policy.allow_methods.join(", ")));
        headers.push(("access-control-allow-headers", policy.allow_headers.join(", ")));
        headers.push(("access-control-max-age", policy.max_age.as_secs().to_string()));
    }
    LocalResponse { status: 204, headers, body: Vec::new() }
}

/// Lets a browser read a refusal and its challenge.
pub fn expose(response: &mut LocalResponse, allow_origin: &str) {
    response.headers.push(("access-control-allow-origin", allow_origin.to_owned()));
    response.headers.push(("access-control-expose-headers", "WWW-Authenticate".to_owned()));
    response.headers.push(("vary", "Origin".to_owned()));
}
