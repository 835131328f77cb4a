//! The internal listener: health, readiness, version and metrics. Never authenticated, never the API.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::ApiError;
use super::respond::{self, JSON};
use crate::metrics::Metrics;
use crate::store::{Readiness, Store};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the internal listener shows.
#[derive(Clone, Debug)]
pub struct Internal {
    /// Whose sources `/readiness` is about.
    pub store: Arc<Store>,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// True as soon as the server is stopping.
    pub stopping: watch::Receiver<bool>,
}

/// `/health`, `/readiness`, `/version`, `/metrics`.
pub fn internal_router(internal: Internal) -> Router {
    Router::new().fallback(answer).with_state(internal)
}

async fn answer(State(internal): State<Internal>, request: Request) -> Response {
    let mut response = respond(&internal, &request).unwrap_or_else(IntoResponse::into_response);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn respond(internal: &Internal, request: &Request) -> Result<Response, ApiError> {
    let path = request.uri().path();
    if !["/health", "/readiness", "/version", "/metrics"].contains(&path) {
        return Err(ApiError::NotFound);
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(ApiError::MethodNotAllowed);
    }
    Ok(match path {
        "/health" => json(StatusCode::OK, &json!({ "status": "healthy" })),
        "/readiness" => readiness(internal),
        "/version" => json(StatusCode::OK, &json!({ "name": "registry", "version": crate::VERSION })),
        _ => respond::full(StatusCode::OK, OPEN_METRICS, internal.metrics.encode().into()),
    })
}

fn readiness(internal: &Internal) -> Response {
    if *internal.stopping.borrow() {
        return json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "stopping" }));
    }
    match internal.store.readiness() {
        Readiness::Ready => json(StatusCode::OK, &json!({ "status": "ready" })),
        Readiness::Stale(sources) => json(StatusCode::OK, &json!({ "status": "ready", "sources": sources })),
        Readiness::NotReady(sources) => {
            json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "not ready", "sources": sources }))
        }
    }
}

fn json(status: StatusCode, body: &Value) -> Response {
    respond::full(status, JSON, body.to_string().into())
}
