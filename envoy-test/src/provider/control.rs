//! What the development provider can be asked besides its documents: `POST /token`, `POST /rotate`, `GET /counts`.

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Shared;
use super::algorithm::Algorithm;
use super::server::{Body, json_response, response};
use super::token::TokenSpec;

/// The body of `POST /token`: everything is optional.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenRequest {
    /// A realm, or another name it was given; the first realm by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// One of the ten, `none`, or `HS256` keyed with the public key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// `kid` of the header; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// `iss`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// `aud`, a string or an array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<Value>,
    /// `scope`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// `sub`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Seconds until `exp`; negative for an expired token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
    /// Further claims; null leaves one out.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
    /// Further members of the header; null leaves one out.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub header: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RotateRequest {
    provider: Option<String>,
    alg: Option<String>,
    /// Whether the previous keys for the algorithm disappear at once.
    #[serde(default)]
    retire: bool,
}

const BODY_LIMIT: usize = 64 * 1024;

pub(crate) async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Body> {
    if !shared.control {
        return failed(StatusCode::NOT_FOUND, "no such document");
    }
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    match (&method, path.as_str()) {
        (&Method::GET, "/counts") => json_response(StatusCode::OK, &shared.ledger.as_json()),
        (&Method::POST, "/token") => with_body(request, |body| token(shared, body)).await,
        (&Method::POST, "/rotate") => with_body(request, |body| rotate(shared, body)).await,
        (_, "/counts" | "/token" | "/rotate") => {
            failed(StatusCode::METHOD_NOT_ALLOWED, "GET /counts, POST /token, POST /rotate")
        }
        _ => failed(StatusCode::NOT_FOUND, "no such document"),
    }
}

async fn with_body(
    request: Request<Incoming>,
    answer: impl FnOnce(&Bytes) -> Result<Response<Body>, String>,
) -> Response<Body> {
    match Limited::new(request.into_body(), BODY_LIMIT).collect().await {
        Ok(body) => answer(&body.to_bytes()).unwrap_or_else(|error| failed(StatusCode::BAD_REQUEST, &error)),
        Err(error) => failed(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn token(shared: &Shared, body: &[u8]) -> Result<Response<Body>, String> {
    let token = specify(shared, parse(body)?)?.mint();
    Ok(response(StatusCode::OK, "text/plain", token + "\n"))
}

fn rotate(shared: &Shared, body: &[u8]) -> Result<Response<Body>, String> {
    let request: RotateRequest = parse(body)?;
    let realm = shared.named(request.provider.as_deref())?;
    let first = realm.options.algorithms.first().copied().unwrap_or(Algorithm::Rs256);
    let algorithm = request.alg.map_or(Ok(first), |alg| alg.parse().map_err(text))?;
    let previous = realm.signing_key(algorithm).kid().to_owned();
    let key = realm.rotate(algorithm, None);
    if request.retire {
        realm.retire(&previous);
    }
    Ok(json_response(
        StatusCode::OK,
        &json!({ "kid": key.kid(), "previous": previous, "retired": request.retire }),
    ))
}

fn specify(shared: &Shared, request: TokenRequest) -> Result<TokenSpec, String> {
    let realm = shared.named(request.provider.as_deref())?;
    let algorithms = realm.options.algorithms.clone();
    let mut spec = TokenSpec::new(realm);
    match request.alg.as_deref() {
        None => {}
        Some("none") => spec = spec.unsigned(),
        Some("HS256") => spec = spec.hmac_of_public_pem(),
        Some(name) => {
            let algorithm: Algorithm = name.parse().map_err(text)?;
            if !algorithms.iter().any(|known| known.family() == algorithm.family()) {
                return Err(format!("this realm has no key for {algorithm}"));
            }
            spec = spec.algorithm(algorithm);
        }
    }
    match request.kid.as_deref() {
        None => {}
        Some("") => spec = spec.without_kid(),
        Some(kid) => spec = spec.kid(kid),
    }
    let named = [
        ("iss", request.issuer.map(Value::String)),
        ("aud", request.audience),
        ("scope", request.scope.map(Value::String)),
        ("sub", request.subject.map(Value::String)),
    ];
    for (name, value) in named.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))) {
        spec = spec.claim(name, value);
    }
    if let Some(seconds) = request.expires {
        spec = spec.expires_in(seconds);
    }
    for (name, value) in request.claims {
        spec = if value.is_null() { spec.without(&name) } else { spec.claim(&name, value) };
    }
    for (name, value) in request.header {
        spec = spec.header(&name, value);
    }
    Ok(spec)
}

/// An empty body is an empty object.
fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(if body.is_empty() { b"{}" } else { body }).map_err(text)
}

fn failed(status: StatusCode, error: &str) -> Response<Body> {
    json_response(status, &json!({ "error": error }))
}

#[allow(clippy::needless_pass_by_value, reason = "used with map_err")]
fn text(error: impl ToString) -> String {
    error.to_string()
}
