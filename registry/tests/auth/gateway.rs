//! An axum router behind the layer, without a network.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::routing::get;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use registry::auth::resolver::{Found, Lookup};
use registry::auth::{self, AuthLayer, Gate, Tuning};
use registry_auth::config::Environment;
use registry_auth::fetch::{Document, FetchRequest};
use registry_auth::identity::Identity;
use registry_auth::policy::{Policy, Purpose};
use registry_auth::url::Url;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::provider::Provider;

pub const PATH: &str = "/registry/default/v0.1/servers";

pub struct Gateway {
    pub gate: Arc<Gate>,
    router: Router,
}

/// One entry of `providers` for a running provider.
pub fn entry(name: &str, provider: &Provider) -> Value {
    json!({"name": name, "issuerUrl": provider.issuer(), "audience": "registry-api"})
}

pub fn document(providers: &[Value]) -> Value {
    json!({"auth": {"mode": "oauth", "oauth": {"resourceUrl": "https://registry.example.com", "providers": providers}}})
}

pub fn policy(document: &Value) -> Policy {
    Policy::from_document(document, &Environment { insecure_http: true }).unwrap().policy
}

/// Times short enough for a test, patience long enough for a slow machine.
pub fn tuning() -> Tuning {
    Tuning { fetch_timeout: Duration::from_secs(20), patience: Duration::from_secs(60), ..Tuning::default() }
}

/// A request for a JWK Set, as the first provider's client gets it.
pub fn key_request(url: &str, max_body: usize) -> FetchRequest {
    let (purpose, document, accept) = (Purpose::Keys, Document::JwkSet, "application/json");
    FetchRequest {
        provider: 0,
        purpose,
        document,
        url: Url::parse(url).unwrap(),
        accept,
        form: None,
        max_body,
    }
}

impl Gateway {
    pub fn of(providers: &[Value]) -> Self {
        Self::new(&document(providers), &tuning())
    }

    pub fn new(document: &Value, tuning: &Tuning) -> Self {
        Self::within(document, Path::new(""), tuning)
    }

    /// The document's files are relative to `directory`.
    pub fn within(document: &Value, directory: &Path, tuning: &Tuning) -> Self {
        let gate = auth::start(policy(document), directory, tuning).unwrap();
        let echo = Router::new()
            .route("/registry/{name}/v0.1/servers", get(echo).post(echo))
            .route("/health", get(echo))
            .route("/trailers", axum::routing::post(trailers));
        let router = AuthLayer::new(Arc::clone(&gate)).protect(echo);
        Self { gate, router }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub async fn ask(&self, token: &str) -> Answer {
        self.send(with_token(token)).await
    }

    /// A request that is on its way: it has come as far as it can without waiting.
    pub async fn begin(&self, token: &str) -> Begun {
        let router = self.router.clone();
        let request = with_token(token);
        let mut answer: Begun =
            Box::pin(async move { Answer::of(router.oneshot(request).await.unwrap()).await });
        let first = std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await;
        assert!(first.is_pending(), "it waits");
        answer
    }
}

pub type Begun = Pin<Box<dyn Future<Output = Answer> + Send>>;

pub fn with_token(token: &str) -> Request<Body> {
    get_with(PATH, &[("authorization", &format!("Bearer {token}"))])
}

pub fn get_with(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = Request::builder().uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).unwrap()
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    async fn of(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Self { status: head.status.as_u16(), headers: head.headers, body }
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What reached the upstream.
async fn echo(identity: Option<Extension<Arc<Identity>>>, headers: HeaderMap) -> String {
    let seen: Value = headers
        .iter()
        .map(|(name, value)| (name.to_string(), Value::from(value.to_str().unwrap())))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let identity =
        identity.map(|Extension(identity)| identity.values().map(str::to_owned).collect::<Vec<_>>());
    json!({"headers": seen, "identity": identity}).to_string()
}

async fn trailers(body: Body) -> String {
    let collected = body.collect().await.unwrap();
    let names = collected.trailers().into_iter().flat_map(HeaderMap::keys);
    json!(names.map(ToString::to_string).collect::<Vec<_>>()).to_string()
}

/// Every name is on this address.
pub struct Everywhere(pub IpAddr);

impl Lookup for Everywhere {
    fn lookup(&self, _: &str) -> Found {
        let address = SocketAddr::new(self.0, 0);
        Box::pin(async move { Ok(vec![address]) })
    }
}
