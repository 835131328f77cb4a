//! The tower layer. A request reaches the inner service because the authenticator decided so; on every other way out it is answered here.
//!
//! The layer belongs outside of everything that changes method, path or headers: see [`AuthLayer::protect`].

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::header::{AUTHORIZATION, InvalidHeaderName};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use pin_project_lite::pin_project;
use registry_auth::authenticator::{Authenticator, Step};
use registry_auth::challenge::Challenges;
use registry_auth::cors::Sharing;
use registry_auth::decision::{Decision, Forward, LocalResponse};
use registry_auth::header::IDENTITY_HEADERS;
use registry_auth::rejection::Cause;
use registry_auth::request::{Client, RequestHead};
use tokio::time::Instant;
use tower::{Layer, Service};

use super::Gate;
use super::gate::now;

/// Protects services.
///
/// Forwarded requests carry the identity's headers and, as an extension, the `Arc<Identity>` itself; neither is there on public paths.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    gate: Arc<Gate>,
}

impl AuthLayer {
    /// All services protected by clones of one layer share its keys and tokens.
    pub const fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }

    /// Wraps a whole router, before it routes: unknown paths, wrong methods and nested routers included.
    pub fn protect(&self, router: Router) -> Router {
        Router::new().fallback_service(self.layer(router))
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService { inner, gate: Arc::clone(&self.gate) }
    }
}

/// A protected service.
#[derive(Clone, Debug)]
pub struct AuthService<S> {
    inner: S,
    gate: Arc<Gate>,
}

pin_project! {
    /// What comes of a request. Only one that has to wait takes room on the heap.
    #[project = AnsweringPinned]
    pub struct Answering<F, E> {
        #[pin]
        way: Way<F, E>,
    }
}

pin_project! {
    #[project = WayPinned]
    enum Way<F, E> {
        /// Answered here.
        Refused { answer: Option<Response<Body>> },
        /// Decided on the spot, and now with the inner service.
        Passed { #[pin] answer: F, sharing: Option<(Arc<Gate>, Sharing)> },
        /// To be decided when what it waits for is there.
        Waiting { answer: Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>> },
    }
}

impl<F, E> Future for Answering<F, E>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            // As every future, it is not polled again after its answer.
            WayPinned::Refused { answer } => {
                answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer)))
            }
            WayPinned::Passed { answer, sharing } => answer.poll(cx).map_ok(|mut answer| {
                if let Some((gate, sharing)) = sharing {
                    share(gate, *sharing, &mut answer);
                }
                answer
            }),
            WayPinned::Waiting { answer } => answer.as_mut().poll(cx),
        }
    }
}

impl<S, B> Service<Request<B>> for AuthService<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answering<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let begun = Instant::now();
        let way = match start(self.gate.authenticator(), &request) {
            Step::Decide(decision) => match carry_out(&self.gate, decision, request) {
                Ok((request, sharing)) => {
                    let sharing = sharing.map(|sharing| (Arc::clone(&self.gate), sharing));
                    Way::Passed { answer: self.inner.call(request), sharing }
                }
                Err(refused) => Way::Refused { answer: Some(respond(refused)) },
            },
            step @ Step::Fetch(_) => {
                // The one that was polled ready is called; its clone may not be.
                let fresh = self.inner.clone();
                let mut inner = std::mem::replace(&mut self.inner, fresh);
                let gate = Arc::clone(&self.gate);
                let answer = Box::pin(async move {
                    let decision = gate.settle(begun, step).await;
                    match carry_out(&gate, decision, request) {
                        Ok((request, sharing)) => {
                            let mut answer = inner.call(request).await?;
                            if let Some(sharing) = sharing {
                                share(&gate, sharing, &mut answer);
                            }
                            Ok(answer)
                        }
                        Err(refused) => Ok(respond(refused)),
                    }
                });
                Way::Waiting { answer }
            }
        };
        Answering { way }
    }
}

/// The request as the inner service gets it, with who may read the response; or the answer in its place.
fn carry_out<B>(
    gate: &Arc<Gate>,
    decision: Decision,
    request: Request<B>,
) -> Result<(Request<Body>, Option<Sharing>), LocalResponse>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    match decision {
        Decision::Forward(forward) => {
            let sharing = forward.sharing;
            pass(gate, forward, request).map(|request| (request, sharing))
        }
        Decision::Respond(response) => Err(response),
    }
}

/// Shows the authenticator the request as it was received.
fn start<B: http_body::Body>(authenticator: &Authenticator, request: &Request<B>) -> Step {
    let mut headers: Vec<(&[u8], &[u8])> = Vec::with_capacity(request.headers().len());
    headers
        .extend(request.headers().iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())));
    let extensions = request.extensions();
    let client = || client_address(extensions);
    let head = RequestHead {
        method: request.method().as_str().as_bytes(),
        path: request.uri().path_and_query().map(|target| target.as_str().as_bytes()),
        headers: &headers,
        has_body: !request.body().is_end_stream(),
        client: Client::new(&client),
    };
    authenticator.start(&head, now())
}

/// The connection's other end, where the server tells it ([`ConnectInfo`]).
fn client_address(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}

/// Changes a request as decided. Where that cannot be done, it does not pass.
fn pass<B>(gate: &Arc<Gate>, forward: Forward, request: Request<B>) -> Result<Request<Body>, LocalResponse>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let (mut head, body) = request.into_parts();
    for name in &forward.remove {
        head.headers.remove(name.as_str());
    }
    if forward.remove_authorization {
        head.headers.remove(AUTHORIZATION);
    }
    if let Some(identity) = forward.identity {
        let told = gate.authenticator().identity_headers(&identity).enumerate();
        for (place, (name, value)) in told.filter(|(_, (_, value))| !value.is_empty()) {
            // The first ones are always the same.
            let name = NAMES.get(place).cloned().map_or_else(|| HeaderName::from_bytes(name.as_bytes()), Ok);
            insert(&mut head.headers, name, value).map_err(|_| unavailable(head.method != "HEAD"))?;
        }
        head.extensions.insert(identity);
    }
    let body = if body.is_end_stream() { Body::empty() } else { without_reserved_trailers(body, gate) };
    Ok(Request::from_parts(head, body))
}

/// Those of every identity, made once.
static NAMES: [HeaderName; IDENTITY_HEADERS.len()] = {
    let [provider, subject, user, scopes] = IDENTITY_HEADERS;
    [
        HeaderName::from_static(provider),
        HeaderName::from_static(subject),
        HeaderName::from_static(user),
        HeaderName::from_static(scopes),
    ]
};

fn insert(
    headers: &mut HeaderMap,
    name: Result<HeaderName, InvalidHeaderName>,
    value: &str,
) -> Result<(), http::Error> {
    headers.insert(name?, HeaderValue::from_str(value)?);
    Ok(())
}

/// SPEC R-4: who may read the inner service's response.
fn share(gate: &Gate, sharing: Sharing, response: &mut Response<Body>) {
    for name in sharing.removed() {
        response.headers_mut().remove(*name);
    }
    for (name, value) in gate.authenticator().response_headers(sharing) {
        // The configuration's origins are all valid.
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
}

/// SPEC I-1: trailers are headers to some.
fn without_reserved_trailers<B>(body: B, gate: &Arc<Gate>) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let gate = Arc::clone(gate);
    Body::new(body.map_frame(move |frame| match frame.into_trailers() {
        Ok(trailers) => {
            let kept = trailers
                .iter()
                .filter(|(name, _)| !gate.authenticator().is_reserved(name.as_str().as_bytes()));
            Frame::trailers(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        Err(data) => data,
    }))
}

fn respond(response: LocalResponse) -> Response<Body> {
    let mut answer = Response::new(Body::from(response.body));
    *answer.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    for (name, value) in response.headers {
        let value = match value {
            Cow::Borrowed(value) => Bytes::from_static(value.as_bytes()),
            Cow::Owned(value) => Bytes::from(value),
        };
        // The core's are all valid; what is not would be left out, never sent as something else.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_maybe_shared(value))
        {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}

/// The answer where a decision could not be carried out.
fn unavailable(with_body: bool) -> LocalResponse {
    Challenges::new("", "").refuse(Cause::KeysUnavailable, &[], with_body)
}
