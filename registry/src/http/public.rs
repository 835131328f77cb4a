//! The public listener: the registry API.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, Method};
use serde_json::Value;

use super::conditional::{self, EntityTag};
use super::respond::JSON;
use super::route::Route;
use super::{ApiError, cursor, openapi, percent, query};
use crate::catalog::{Entry, Page, ServerName, View};
use crate::store::Store;

/// The whole public API, unprotected: [`crate::server`] wraps it, in one place, in what decides whether a request may reach it.
pub fn public_router(store: Arc<Store>) -> Router {
    Router::new().fallback(answer).with_state(store)
}

async fn answer(State(store): State<Arc<Store>>, request: Request) -> Response {
    let (head, _body) = request.into_parts();
    respond(&store, &head).unwrap_or_else(IntoResponse::into_response)
}

fn respond(store: &Store, head: &Parts) -> Result<Response, ApiError> {
    let route = Route::of(head.uri.path());
    match route {
        Route::Unknown => return Err(ApiError::NotFound),
        Route::UnknownUnderServers => return Err(ApiError::NotFoundUnderServers),
        Route::NotSupported(what) => return Err(ApiError::NotSupported(what)),
        _ if head.method != Method::GET && head.method != Method::HEAD => {
            return Err(ApiError::MethodNotAllowed);
        }
        _ => {}
    }
    let query = head.uri.query();
    let headers = &head.headers;
    match route {
        Route::List { registry } => {
            let view = view(store, registry)?;
            Ok(list(headers, &view.page(&query::list(query)?)))
        }
        Route::Versions { registry, server } => {
            let view = view(store, registry)?;
            let name = server_name(server)?;
            let include_deleted = query::only_include_deleted(query)?;
            let entries = view.versions(&name, include_deleted);
            if entries.is_empty() {
                return Err(ApiError::ServerNotFound);
            }
            Ok(list(headers, &Page { entries, next: None }))
        }
        Route::Version { registry, server, version } => {
            let view = view(store, registry)?;
            let name = server_name(server)?;
            let version = percent::decode(version, false).ok_or(ApiError::PathEncoding)?;
            let include_deleted = query::only_include_deleted(query)?;
            let entry = view
                .version(&name, &query::version(version), include_deleted)
                .ok_or(ApiError::ServerNotFound)?;
            let tag = EntityTag::of([entry.digest.as_slice()]);
            Ok(conditional::respond(headers, &tag, JSON, || entry.json.clone()))
        }
        Route::OpenapiJson => Ok(document(headers, JSON, openapi::JSON)),
        Route::OpenapiYaml { registry } => {
            if !store.has_registry(registry) {
                return Err(ApiError::RegistryNotFound);
            }
            Ok(document(headers, "application/yaml", openapi::YAML))
        }
        Route::Unknown | Route::UnknownUnderServers | Route::NotSupported(_) => Err(ApiError::NotFound),
    }
}

fn view(store: &Store, registry: &str) -> Result<Arc<View>, ApiError> {
    if !store.has_registry(registry) {
        return Err(ApiError::RegistryNotFound);
    }
    store.view(registry).ok_or(ApiError::NotLoaded)
}

/// The segment, decoded once.
fn server_name(segment: &str) -> Result<ServerName, ApiError> {
    let decoded = percent::decode(segment, false).ok_or(ApiError::PathEncoding)?;
    Ok(ServerName::from_text(&decoded)?)
}

fn document(headers: &HeaderMap, content_type: &'static str, text: &'static str) -> Response {
    let tag = EntityTag::of([text.as_bytes()]);
    conditional::respond(headers, &tag, content_type, || Bytes::from_static(text.as_bytes()))
}

fn list(headers: &HeaderMap, page: &Page) -> Response {
    let next = page.next.as_ref().map(cursor::encode);
    let digests = page.entries.iter().map(|entry| entry.digest.as_slice());
    let tag = EntityTag::of(digests.chain(next.as_ref().map(|next| next.as_bytes())));
    conditional::respond(headers, &tag, JSON, || body(&page.entries, next.as_deref()))
}

/// `{"servers": […], "metadata": {"count": …, "nextCursor": …}}` of entries that are serialised already.
fn body(entries: &[Arc<Entry>], next: Option<&str>) -> Bytes {
    let size: usize = entries.iter().map(|entry| entry.json.len() + 1).sum();
    let mut body = BytesMut::with_capacity(size + 256);
    body.put_slice(br#"{"servers":["#);
    for (position, entry) in entries.iter().enumerate() {
        if position > 0 {
            body.put_u8(b',');
        }
        body.put_slice(&entry.json);
    }
    body.put_slice(format!(r#"],"metadata":{{"count":{}"#, entries.len()).as_bytes());
    if let Some(next) = next {
        body.put_slice(format!(r#","nextCursor":{}"#, Value::from(next)).as_bytes());
    }
    body.put_slice(b"}}");
    body.freeze()
}
