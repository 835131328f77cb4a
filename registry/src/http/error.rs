//! What is answered instead of data: always `{"error": "text"}`.

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

use super::respond::{self, JSON};
use crate::catalog::NameError;

/// Why a request gets no data. The texts are fixed: nothing of the request is repeated in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// No route has this path.
    #[error("Not found")]
    NotFound,
    /// Under `servers/`, but in no known form.
    #[error("Not found; a server name is one percent-encoded path segment, as io.github.user%2Fname")]
    NotFoundUnderServers,
    /// The route exists, for GET and HEAD.
    #[error("Method not allowed")]
    MethodNotAllowed,
    /// A part of the API that this server does not have; the text says what it does have.
    #[error("{0} is not supported by this registry; supported are GET of servers, versions and openapi.json")]
    NotSupported(&'static str),
    /// No registry of this name is configured.
    #[error("Registry not found")]
    RegistryNotFound,
    /// The registry has no such server, or none that may be shown.
    #[error("Server not found")]
    ServerNotFound,
    /// An escape in the path is incomplete or its result is not UTF-8.
    #[error("Invalid percent-encoding in path")]
    PathEncoding,
    /// Not the name of a server.
    #[error("Invalid {0}")]
    ServerName(#[from] NameError),
    /// An escape in the query is incomplete or its result is not UTF-8.
    #[error("Invalid percent-encoding in query")]
    QueryEncoding,
    /// A known parameter is there twice.
    #[error("Parameter {0} is given more than once")]
    RepeatedParameter(&'static str),
    /// Not a number from 1 to 100.
    #[error("Invalid limit: expected a whole number from 1 to 100")]
    Limit,
    /// Not a cursor of this API.
    #[error("Invalid cursor: use metadata.nextCursor as it was returned")]
    Cursor,
    /// Not a date.
    #[error(
        "Invalid updated_since: expected an RFC 3339 date, as 2025-08-07T13:15:04Z (a + must be sent as %2B)"
    )]
    UpdatedSince,
    /// Neither true nor false.
    #[error("Invalid include_deleted: expected true or false")]
    IncludeDeleted,
    /// A source of the registry was never loaded: what is missing could shadow what is there.
    #[error("Registry data is not loaded yet")]
    NotLoaded,
    /// More requests at once than this server takes.
    #[error("Too many requests at once")]
    Overloaded,
    /// The request took longer than it may.
    #[error("Request timed out")]
    TimedOut,
    /// The request line and headers are larger than allowed.
    #[error("Request headers are too large")]
    HeadersTooLarge,
    /// The body is larger than allowed.
    #[error("Request body is too large")]
    BodyTooLarge,
}

impl ApiError {
    /// The status it is answered with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NotFound | Self::NotFoundUnderServers | Self::RegistryNotFound | Self::ServerNotFound => {
                StatusCode::NOT_FOUND
            }
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotSupported(_) => StatusCode::NOT_IMPLEMENTED,
            Self::PathEncoding
            | Self::ServerName(_)
            | Self::QueryEncoding
            | Self::RepeatedParameter(_)
            | Self::Limit
            | Self::Cursor
            | Self::UpdatedSince
            | Self::IncludeDeleted => StatusCode::BAD_REQUEST,
            Self::NotLoaded | Self::Overloaded | Self::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.to_string() }).to_string();
        let mut response = respond::full(self.status(), JSON, body.into());
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::MethodNotAllowed => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            Self::NotLoaded => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            Self::Overloaded | Self::TimedOut => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            // The body is not read: what comes next on this connection is not a request.
            Self::BodyTooLarge => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}
