//! The table of cases against the core, called directly: the shortest shell there can be.

use std::io;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use envoy_test::cases::{Document, Host, Subject, World, run};
use envoy_test::client;
use envoy_test::{RawRequest, RawResponse};
use registry_auth::authenticator::{Authenticator, Environment, Need, Step};
use registry_auth::decision::{Decision, Forward};
use registry_auth::fetch::{FetchError, FetchRequest, FetchResponse, FetchResult};
use registry_auth::keys::Advance;
use registry_auth::policy::Policy;
use registry_auth::request::RequestHead;
use registry_auth::time::UnixTime;

struct Core(Authenticator);

impl Core {
    fn new(document: Document, world: &World) -> Self {
        let configuration = document.configuration(world);
        let loaded =
            Policy::from_document(&configuration, &registry_auth::config::Environment::default()).unwrap();
        Self(Authenticator::new(loaded.policy, Environment::new([7; 16])))
    }

    async fn decide(&self, head: &RequestHead<'_>) -> (Vec<String>, Decision) {
        let mut removed = Vec::new();
        let mut step = self.0.start(head, now());
        loop {
            let mut pending = match step {
                Step::Decide(decision) => return (removed, decision),
                Step::Fetch(pending) => pending,
            };
            removed.extend(pending.take_removed_headers());
            let Need::Keys { provider, cause } = pending.need().clone() else {
                panic!("no case of the table introspects")
            };
            let mut refresh = self.0.begin_refresh(provider, cause, now()).unwrap();
            loop {
                let result = fetch(refresh.request()).await;
                match self.0.advance_refresh(refresh, result, now()) {
                    Advance::Next(next) => refresh = next,
                    Advance::Renewed(_) | Advance::Failed => break,
                }
            }
            step = self.0.resume(pending, now());
        }
    }

    fn forward(&self, request: &RawRequest, removed: &[String], forward: &Forward) -> RawRequest {
        let mut upstream = request.clone();
        let remove = |name: &str| {
            removed.iter().chain(&forward.remove).any(|removed| removed == name)
                || (forward.remove_authorization && name.eq_ignore_ascii_case("authorization"))
        };
        upstream.headers.retain(|(name, _)| !remove(name));
        if let Some(identity) = &forward.identity {
            for (name, value) in self.0.identity_headers(identity).filter(|(_, value)| !value.is_empty()) {
                upstream = upstream.header(name, value);
            }
        }
        upstream
    }
}

impl Subject for Core {
    fn host(&self) -> Host {
        Host::Core
    }

    async fn send(&self, request: &RawRequest) -> io::Result<RawResponse> {
        let headers: Vec<(&[u8], &[u8])> =
            request.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect();
        let connect = request.method == "CONNECT";
        let head = RequestHead {
            method: request.method.as_bytes(),
            path: (!connect).then_some(&request.target),
            headers: &headers,
            has_body: !request.body.is_empty(),
        };
        let (removed, decision) = self.decide(&head).await;
        Ok(match decision {
            Decision::Respond(response) => RawResponse {
                status: response.status,
                headers: response
                    .headers
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.into_bytes()))
                    .collect(),
                body: response.body,
                upstream: None,
            },
            Decision::Forward(forward) => RawResponse {
                status: 200,
                upstream: Some(self.forward(request, &removed, &forward)),
                ..RawResponse::default()
            },
        })
    }
}

async fn fetch(request: &FetchRequest) -> FetchResult {
    let url = request.url.as_str();
    let (authority, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let address: SocketAddr = authority.parse().unwrap();
    let get = RawRequest::get(&format!("/{path}")).header("Accept", request.accept);
    match client::send(address, &get).await {
        Ok(response) if response.body.len() > request.max_body => {
            FetchResult::Failed(FetchError::TooLong { limit: request.max_body })
        }
        Ok(response) => FetchResult::Response(FetchResponse {
            status: response.status,
            cache_control: response.header("cache-control").map(|value| value.into_owned()),
            body: response.body,
        }),
        Err(error) => FetchResult::Failed(FetchError::Unreachable(error.to_string())),
    }
}

fn now() -> UnixTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UnixTime::from_nanos(u64::try_from(now.as_nanos()).unwrap())
}

#[tokio::test]
async fn every_case_against_the_core() {
    let world = World::start().unwrap();
    let mut passed = 0;
    for document in Document::ALL {
        let core = Core::new(document, &world);
        passed += run(document, &world, &core).await;
    }
    assert!(passed > 150, "only {passed} cases");
    println!("{passed} cases passed");
}
