//! The table of cases against the tower layer, behind the HTTP server it is made for.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request};
use envoy_test::cases::{Document, Host, Subject, World, run};
use envoy_test::upstream::{CASE_HEADER, wanted_headers};
use envoy_test::{RawRequest, RawResponse, client};
use registry::auth::{self, AuthLayer, Tuning};
use registry_auth::policy::Policy;
use serde_json::Value;

/// What reached the protected service, by case.
type Arrivals = Arc<Mutex<BTreeMap<String, RawRequest>>>;

pub(crate) struct Tower {
    address: SocketAddr,
    arrivals: Arrivals,
}

impl Tower {
    pub(crate) async fn start(configuration: &Value, tuning: &Tuning) -> Self {
        let environment = registry_auth::config::Environment::default();
        let policy = Policy::from_document(configuration, &environment).unwrap().policy;
        let gate = auth::start(policy, Path::new("."), tuning).unwrap();
        let arrivals = Arrivals::default();
        let seen = Arc::clone(&arrivals);
        let protected =
            Router::new().fallback(move |request: Request<Body>| arrive(Arc::clone(&seen), request));
        let router = AuthLayer::new(gate).protect(protected);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, arrivals }
    }
}

async fn arrive(arrivals: Arrivals, request: Request<Body>) -> HeaderMap {
    let (parts, body) = request.into_parts();
    let mut seen = RawRequest::new(parts.method.as_str(), &parts.uri.to_string());
    for (name, value) in &parts.headers {
        seen = seen.header(name.as_str(), value.as_bytes());
    }
    let seen = seen.body(to_bytes(body, 1 << 20).await.unwrap());
    let case = seen.values(CASE_HEADER).first().map(ToString::to_string).unwrap_or_default();
    let mut answer = HeaderMap::new();
    for (name, value) in wanted_headers(&seen) {
        answer.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    }
    assert!(arrivals.lock().unwrap().insert(case, seen).is_none(), "a request arrived twice");
    answer
}

impl Subject for Tower {
    fn host(&self) -> Host {
        Host::Tower
    }

    async fn send(&self, request: &RawRequest) -> io::Result<RawResponse> {
        let mut response = client::send(self.address, request).await?;
        let case = request.values(CASE_HEADER).first().map(ToString::to_string).unwrap_or_default();
        response.upstream = self.arrivals.lock().unwrap().remove(&case);
        Ok(response)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_against_the_tower_layer() {
    let world = World::start().unwrap();
    let mut passed = 0;
    for document in Document::ALL {
        let tower = Tower::start(&document.configuration(&world), &Tuning::default()).await;
        passed += run(document, &world, &tower).await;
    }
    assert!(passed > 150, "only {passed} cases");
    println!("{passed} cases passed");
}
