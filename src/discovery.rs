//! Finding a provider's JWK Set (SPEC J-6): OpenID Connect Discovery 1.0 §4, then RFC 8414 §3 where that is not found. One pair of functions a document.

use crate::fetch::{Document, FetchError, FetchRequest, FetchResponse, MAX_DOCUMENT_LENGTH};
use crate::json::{self, Object, Value};
use crate::jwk::JwkSet;
use crate::policy::{HttpRule, Provider, Purpose};
use crate::signature::Backend;
use crate::url::Url;

/// What a metadata response says about where to go on.
#[derive(Debug)]
pub enum Discovered {
    /// The JWK Set is here; the URL passed the provider's rules.
    JwksUri(Url),
    /// Not found: RFC 8414's place is to be tried.
    TryAuthorizationServerMetadata,
}

/// Asks for `document`, a metadata document of `provider`.
pub fn metadata_request(number: usize, provider: &Provider, document: Document) -> FetchRequest {
    let url = match document {
        Document::AuthorizationServerMetadata => provider.issuer_url.authorization_server_metadata(),
        Document::OpenidConfiguration | Document::JwkSet | Document::Introspection => {
            provider.issuer_url.openid_configuration()
        }
    };
    FetchRequest {
        provider: number,
        purpose: Purpose::Keys,
        document,
        url,
        accept: "application/json",
        form: None,
        max_body: MAX_DOCUMENT_LENGTH,
    }
}

/// Reads a metadata document: its `issuer` must equal the configured one byte for byte (RFC 8414 §3.3), its `jwks_uri` must be one we may ask.
pub fn process_metadata(
    provider: &Provider,
    document: Document,
    response: &FetchResponse,
) -> Result<Discovered, FetchError> {
    if response.status == 404 && document == Document::OpenidConfiguration {
        return Ok(Discovered::TryAuthorizationServerMetadata);
    }
    let metadata = json_object(response)?;
    let member = |name: &str| {
        metadata
            .get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| FetchError::Invalid(format!("{name} is not a string")))
    };
    let issuer = member("issuer")?;
    if issuer != provider.issuer {
        return Err(FetchError::Invalid(format!(
            "issuer is {}, expected {}",
            crate::rejection::quote(issuer),
            crate::rejection::quote(&provider.issuer)
        )));
    }
    check_jwks_uri(provider, member("jwks_uri")?).map(Discovered::JwksUri)
}

/// SPEC C-3 to C-5 for a URL that a provider names. What it may hold beyond origin and path is not repeated in errors: it may be a secret.
pub fn check_jwks_uri(provider: &Provider, text: &str) -> Result<Url, FetchError> {
    let url = Url::parse(text).map_err(|error| FetchError::Refused(format!("jwks_uri: {error}")))?;
    let refused = |how: String| FetchError::Refused(format!("jwks_uri {}: {how}", url.without_query()));
    let http_is_allowed = provider.allow_http == HttpRule::Anywhere || url.host().is_loopback();
    if !url.is_https() && !http_is_allowed {
        return Err(refused("https is required".to_owned()));
    }
    provider.addresses.permits_url(&url).map_err(|error| refused(error.to_string()))?;
    Ok(url)
}

/// Asks for a JWK Set. Kubernetes answers 406 to a plain `Accept: application/json`.
pub fn jwk_set_request(number: usize, url: Url) -> FetchRequest {
    FetchRequest {
        provider: number,
        purpose: Purpose::Keys,
        document: Document::JwkSet,
        url,
        accept: "application/jwk-set+json, application/json",
        form: None,
        max_body: MAX_DOCUMENT_LENGTH,
    }
}

/// Reads a JWK Set. One without a single usable key is an error: it must not displace keys that work.
pub fn process_jwk_set(backend: Backend, response: &FetchResponse) -> Result<JwkSet, FetchError> {
    check_response(response)?;
    parse_jwk_set(backend, &response.body)
}

/// The same for a body that another worker fetched.
pub fn parse_jwk_set(backend: Backend, body: &[u8]) -> Result<JwkSet, FetchError> {
    let set = JwkSet::parse_for(backend, body).map_err(|error| FetchError::Invalid(error.to_string()))?;
    if set.keys().is_empty() {
        return Err(FetchError::Invalid("no key in it can verify a signature".to_owned()));
    }
    Ok(set)
}

fn check_response(response: &FetchResponse) -> Result<(), FetchError> {
    if response.status != 200 {
        return Err(FetchError::Status(response.status));
    }
    if response.body.len() > MAX_DOCUMENT_LENGTH {
        return Err(FetchError::TooLong { limit: MAX_DOCUMENT_LENGTH });
    }
    Ok(())
}

fn json_object(response: &FetchResponse) -> Result<Object<'_>, FetchError> {
    check_response(response)?;
    json::parse_object(&response.body, json::MAX_DEPTH)
        .map_err(|error| FetchError::Invalid(format!("not a JSON object: {error}")))
}
