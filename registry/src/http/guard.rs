//! What every request of the public listener passes first: limits, and every response last: its headers, its count and its line in the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Method};
use tokio::sync::Semaphore;

use super::ApiError;
use super::route::Route;
use crate::metrics::Metrics;

/// Largest request line and headers together, in bytes.
pub const MAX_HEADER_SIZE: usize = 32 * 1024;
/// Largest request body, in bytes.
pub const MAX_BODY_SIZE: usize = 1024 * 1024;

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The limits in force.
#[derive(Debug)]
struct Limits {
    permits: Semaphore,
    timeout: Duration,
    metrics: Arc<Metrics>,
}

/// Puts limits around a router: at most `max_requests` at once, others are refused and not queued; each answered within `timeout`.
pub fn limited(router: Router, max_requests: usize, timeout: Duration, metrics: Arc<Metrics>) -> Router {
    let limits = Arc::new(Limits {
        permits: Semaphore::new(max_requests.min(Semaphore::MAX_PERMITS)),
        timeout,
        metrics,
    });
    router.layer(DefaultBodyLimit::max(MAX_BODY_SIZE)).layer(middleware::from_fn_with_state(limits, limit))
}

async fn limit(State(limits): State<Arc<Limits>>, request: Request, next: Next) -> Response {
    let Ok(_permit) = limits.permits.try_acquire() else {
        limits.metrics.request_shed();
        return ApiError::Overloaded.into_response();
    };
    match tokio::time::timeout(limits.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::TimedOut.into_response(),
    }
}

/// Refuses requests that are too large, whatever they ask for, and completes and counts every response.
pub fn guarded(router: Router, metrics: Arc<Metrics>) -> Router {
    router.layer(middleware::from_fn_with_state(metrics, pass))
}

async fn pass(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = Route::of(request.uri().path()).name();
    let method = known_method(request.method());
    let path = request.uri().path().to_owned();

    let mut response = match check_size(&request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));

    let took = started.elapsed();
    let status = response.status().as_u16();
    metrics.request(route, method, status, took);
    // No header and no query: they may hold credentials.
    tracing::debug!(method, path, status, took_us = took.as_micros() as u64, "request");
    response
}

fn check_size(request: &Request) -> Result<(), ApiError> {
    if header_size(request) > MAX_HEADER_SIZE {
        return Err(ApiError::HeadersTooLarge);
    }
    if declared_length(request).is_some_and(|length| length > MAX_BODY_SIZE as u64) {
        return Err(ApiError::BodyTooLarge);
    }
    Ok(())
}

/// As it was on the wire, about: `GET target HTTP/1.1` and `name: value`, each with its line end.
fn header_size(request: &Request) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let line = request.method().as_str().len() + target + " HTTP/1.1\r\n ".len();
    request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum::<usize>()
        + line
}

fn declared_length(request: &Request) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A fixed set of names, so that clients cannot grow the metrics.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
