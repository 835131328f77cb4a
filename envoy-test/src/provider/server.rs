//! The provider's side of the wire: documents over HTTP/1.1, with the faults that were asked for.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::counts::LoggedRequest;
use super::fault::{Document, Fault};
use super::realm::Realm;
use super::{Shared, control};
use crate::frames::Frames;

pub(crate) type Body = BoxBody<Bytes, io::Error>;

/// A connection of any kind over TCP.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn tcp(&self) -> &TcpStream;
}

impl Connection for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, stream: impl Connection) {
    let reset = Arc::new(AtomicBool::new(false));
    let io = TokioIo::new(Resettable { stream, reset: Arc::clone(&reset) });
    let service = service_fn(move |request| {
        let (shared, reset) = (Arc::clone(&shared), Arc::clone(&reset));
        async move { answer(&shared, request, &reset).await }
    });
    // Errors here are clients that went away, and faults.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
}

async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
    reset: &AtomicBool,
) -> Result<Response<Body>, io::Error> {
    let path = request.uri().path().to_owned();
    let Some((realm, document)) = shared.find(&path) else {
        return Ok(control::answer(shared, request).await);
    };
    let _in_flight = shared.ledger.begin(logged(realm, document, &request));
    match realm.fault(document) {
        None => Ok(publish(realm, document)),
        Some(Fault::Held(gate)) => {
            gate.passed().await;
            Ok(publish(realm, document))
        }
        Some(Fault::Reset) => {
            reset.store(true, Ordering::Relaxed);
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Some(Fault::BreakOff) => Ok(break_off(&publish_text(realm, document))),
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Ok(json_response(status, &json!({ "error": "injected fault" })))
        }
        Some(Fault::Body { content_type, bytes }) => Ok(response(StatusCode::OK, content_type, bytes)),
        Some(Fault::Oversized(size)) => Ok(response(
            StatusCode::OK,
            "application/json",
            json!({ "keys": [], "padding": "x".repeat(size) }).to_string(),
        )),
        Some(Fault::Redirect(location)) => {
            let mut response = response(StatusCode::FOUND, "text/plain", "elsewhere");
            if let Ok(location) = location.parse() {
                response.headers_mut().insert(LOCATION, location);
            }
            Ok(response)
        }
        Some(Fault::WrongIssuer(issuer)) => Ok(changed_metadata(realm, "issuer", issuer)),
        Some(Fault::JwksUri(url)) => Ok(changed_metadata(realm, "jwks_uri", url)),
    }
}

fn publish(realm: &Realm, document: Document) -> Response<Body> {
    let mut response = response(StatusCode::OK, "application/json", publish_text(realm, document));
    if let (Document::Jwks, Ok(value)) = (document, realm.cache_control().parse()) {
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    response
}

fn publish_text(realm: &Realm, document: Document) -> String {
    match document {
        Document::OpenidConfiguration | Document::AuthorizationServerMetadata => realm.metadata().to_string(),
        Document::Jwks => realm.jwks().to_string(),
    }
}

fn changed_metadata(realm: &Realm, member: &str, value: String) -> Response<Body> {
    let mut metadata = realm.metadata();
    metadata[member] = Value::String(value);
    json_response(StatusCode::OK, &metadata)
}

/// Announces the whole text and sends half of it.
fn break_off(text: &str) -> Response<Body> {
    let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let frames = StreamBody::new(Frames::broken_after(half));
    let mut response = Response::new(BodyExt::boxed(frames));
    response.headers_mut().insert(CONTENT_LENGTH, text.len().into());
    response
}

pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    response(status, "application/json", body.to_string())
}

pub(crate) fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never: Infallible| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    response
}

fn logged(realm: &Realm, document: Document, request: &Request<Incoming>) -> LoggedRequest {
    let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    LoggedRequest {
        realm: realm.options.name.clone(),
        document,
        method: request.method().to_string(),
        path: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: request.headers().iter().map(header).collect(),
    }
}

/// Closes with RST instead of FIN when told to.
struct Resettable<C: Connection> {
    stream: C,
    reset: Arc<AtomicBool>,
}

impl<C: Connection> Drop for Resettable<C> {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            let _ = socket2::SockRef::from(self.stream.tcp()).set_linger(Some(Duration::ZERO));
        }
    }
}

impl<C: Connection> AsyncRead for Resettable<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<C: Connection> AsyncWrite for Resettable<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
