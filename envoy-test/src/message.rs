//! Requests and responses as they are on the wire: header names keep their case, values are bytes, nothing is joined, sorted or left out.

use std::borrow::Cow;

/// Names and values in order.
pub type Headers = Vec<(String, Vec<u8>)>;

/// A request, exactly as it is to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct RawRequest {
    /// The request method.
    pub method: String,
    /// The request target, byte for byte.
    pub target: Vec<u8>,
    /// Without `Host`, which clients add.
    pub headers: Headers,
    /// Sent with `Content-Length` unless empty.
    pub body: Vec<u8>,
    /// Sent after a chunked body.
    pub trailers: Headers,
}

/// A response, as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawResponse {
    /// The status code.
    pub status: u16,
    /// Every header, in order.
    pub headers: Headers,
    /// Without its transfer coding.
    pub body: Vec<u8>,
    /// What the upstream received for this request; `None` when it received nothing.
    pub upstream: Option<RawRequest>,
}

impl RawRequest {
    /// A request without headers and body.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.as_bytes().to_vec(), ..Self::default() }
    }

    /// `GET target`.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// One more header; those of the same name stay.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// `Authorization: Bearer token`.
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// The body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// One more trailer.
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.trailers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Values of every header of this name, in order.
    pub fn values(&self, name: &str) -> Vec<Cow<'_, str>> {
        values(&self.headers, name)
    }
}

impl RawResponse {
    /// The value of a header that may be there once.
    ///
    /// # Panics
    /// When it is there more than once.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = values(&self.headers, name);
        assert!(values.len() <= 1, "{name} is there {} times: {values:?}", values.len());
        values.pop()
    }

    /// Values of every header of this name, in order.
    pub fn values(&self, name: &str) -> Vec<Cow<'_, str>> {
        values(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }
}

/// Values of every header of this name, in any case, in order.
pub fn values<'a>(headers: &'a [(String, Vec<u8>)], name: &str) -> Vec<Cow<'a, str>> {
    headers
        .iter()
        .filter(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, value)| String::from_utf8_lossy(value))
        .collect()
}
