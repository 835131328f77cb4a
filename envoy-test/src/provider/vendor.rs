//! The identity providers of this world at their own hosts: each file answers and mints as one of them does, quirks included.
//!
//! A [`Vendor`] is a function from requests to responses, so that the core can be tested without a network; [`Loopback`](crate::loopback::Loopback)
//! serves it over TLS.

mod auth0;
mod entra;
mod google;
mod keycloak;
mod kubernetes;
mod okta;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::message::{RawRequest, RawResponse};

pub use auth0::Auth0;
pub use entra::Entra;
pub use google::Google;
pub use keycloak::Keycloak;
pub use kubernetes::Kubernetes;
pub use okta::Okta;

/// A provider as a whole: all of its hosts.
pub trait Vendor: Send + Sync {
    /// The hosts it answers on.
    fn hosts(&self) -> &'static [&'static str];

    /// Files that its example names, with what is in them.
    fn files(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Answers one request.
    fn answer(&self, host: &str, request: &RawRequest) -> RawResponse;
}

/// A vendor, and what was asked of it.
pub struct Asked {
    vendor: Arc<dyn Vendor>,
    log: Mutex<Vec<Exchange>>,
}

/// One request and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// As in the request's `Host`.
    pub host: String,
    /// What was asked.
    pub request: RawRequest,
    /// How it was answered.
    pub status: u16,
}

impl Asked {
    /// Nothing was asked yet.
    pub fn new(vendor: Arc<dyn Vendor>) -> Self {
        Self { vendor, log: Mutex::default() }
    }

    /// The vendor.
    pub fn vendor(&self) -> &dyn Vendor {
        self.vendor.as_ref()
    }

    /// Answers one request; `host` may have a port.
    pub fn answer(&self, host: &str, request: RawRequest) -> RawResponse {
        let response = self.vendor.answer(host.split(':').next().unwrap_or_default(), &request);
        let exchange = Exchange { host: host.to_owned(), request, status: response.status };
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
        response
    }

    /// Everything so far.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("hosts", &self.vendor.hosts()).finish_non_exhaustive()
    }
}

/// The claims of a JWT, unverified.
pub(crate) fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON")
}

/// Method and target as text.
fn line(request: &RawRequest) -> String {
    format!("{} {}", request.method, String::from_utf8_lossy(&request.target))
}

fn json(status: u16, body: &Value) -> RawResponse {
    let headers = vec![("Content-Type".to_owned(), b"application/json".to_vec())];
    RawResponse { status, headers, body: body.to_string().into_bytes(), upstream: None }
}

fn with_header(mut response: RawResponse, name: &str, value: &str) -> RawResponse {
    response.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    response.headers.push((name.to_owned(), value.as_bytes().to_vec()));
    response
}

fn not_found() -> RawResponse {
    RawResponse { status: 404, body: b"Not Found".to_vec(), ..RawResponse::default() }
}

/// A parameter of `application/x-www-form-urlencoded` text.
fn parameter(form: &str, name: &str) -> Option<String> {
    let value = form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut decoded = Vec::new();
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Adds members to an object.
fn and(mut object: Value, more: &Value) -> Value {
    let members = more.as_object().expect("an object").clone();
    object.as_object_mut().expect("an object").extend(members);
    object
}
