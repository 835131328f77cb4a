//! The table of cases against the core, called directly: the shortest shell there can be.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use envoy_test::cases::{Document, Host, Subject, World, run};
use envoy_test::client;
use envoy_test::provider::vendor::Asked;
use envoy_test::upstream::wanted_headers;
use envoy_test::{RawRequest, RawResponse};
use registry_auth::authenticator::{Authenticator, Environment, Need, Step};
use registry_auth::decision::{Decision, Forward};
use registry_auth::fetch::{FetchError, FetchRequest, FetchResponse, FetchResult};
use registry_auth::keys::Advance;
use registry_auth::policy::{Policy, Provider, Purpose};
use registry_auth::request::{Client, RequestHead};
use registry_auth::time::UnixTime;
use serde_json::Value;

pub(crate) struct Core {
    authenticator: Authenticator,
    /// Asked directly, where there is one; otherwise providers are on loopback.
    vendor: Option<Arc<Asked>>,
}

impl Core {
    pub(crate) fn new(configuration: &Value, vendor: Option<Arc<Asked>>) -> Self {
        let loaded =
            Policy::from_document(configuration, &registry_auth::config::Environment::default()).unwrap();
        let authenticator = Authenticator::new(loaded.policy, Environment::new([7; 16]));
        Self { authenticator, vendor }
    }

    async fn decide(&self, head: &RequestHead<'_>) -> (Vec<String>, Decision) {
        let mut removed = Vec::new();
        let core = &self.authenticator;
        let mut step = core.start(head, now());
        loop {
            let mut pending = match step {
                Step::Decide(decision) => return (removed, decision),
                Step::Fetch(pending) => pending,
            };
            removed.extend(pending.take_removed_headers());
            match pending.need().clone() {
                Need::Keys { provider, cause } => {
                    let mut refresh = core.begin_refresh(provider, cause, now()).unwrap();
                    loop {
                        let result = self.fetch(refresh.request()).await;
                        match core.advance_refresh(refresh, result, now()) {
                            Advance::Next(next) => refresh = next,
                            Advance::Renewed(_) | Advance::Failed => break,
                        }
                    }
                }
                Need::Introspection { .. } => {
                    let question = core.begin_introspection(&pending, now()).unwrap();
                    let result = self.fetch(question.request()).await;
                    core.end_introspection(question, result, now());
                }
            }
            step = core.resume(pending, now());
        }
    }

    async fn fetch(&self, request: &FetchRequest) -> FetchResult {
        let url = &request.url;
        let mut sent = match &request.form {
            None => RawRequest::get(url.path_and_query()),
            Some(form) => RawRequest::new("POST", url.path_and_query()).body(form.clone()),
        };
        sent = sent.header("Accept", request.accept);
        let response = match &self.vendor {
            None => client::send(url.authority().parse::<SocketAddr>().unwrap(), &sent).await,
            Some(vendor) => {
                let provider = &self.authenticator.providers()[request.provider];
                let sent = match credentials(vendor, provider, request) {
                    None => sent,
                    Some(credentials) => sent.header("Authorization", credentials),
                };
                Ok(vendor.answer(&url.authority(), sent))
            }
        };
        match response {
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

    fn forward(&self, request: &RawRequest, removed: &[String], forward: &Forward) -> RawRequest {
        let mut upstream = request.clone();
        let remove = |name: &str| {
            removed.iter().chain(&forward.remove).any(|removed| removed == name)
                || (forward.remove_authorization && name.eq_ignore_ascii_case("authorization"))
        };
        upstream.headers.retain(|(name, _)| !remove(name));
        if let Some(identity) = &forward.identity {
            for (name, value) in
                self.authenticator.identity_headers(identity).filter(|(_, value)| !value.is_empty())
            {
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
            client: Client::UNKNOWN,
        };
        let (removed, decision) = self.decide(&head).await;
        Ok(match decision {
            Decision::Respond(response) => RawResponse {
                status: response.status,
                headers: response
                    .headers
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.into_owned().into_bytes()))
                    .collect(),
                body: response.body,
                upstream: None,
            },
            Decision::Forward(forward) => {
                let upstream = self.forward(request, &removed, &forward);
                let mut headers = wanted_headers(&upstream);
                if let Some(sharing) = forward.sharing {
                    headers
                        .retain(|(name, _)| !sharing.removed().contains(&name.to_ascii_lowercase().as_str()));
                    let added = self.authenticator.response_headers(sharing);
                    headers.extend(added.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())));
                }
                RawResponse { status: 200, headers, upstream: Some(upstream), ..RawResponse::default() }
            }
        })
    }
}

/// SPEC C-8: the client's secret to its introspection endpoint, `authTokenFile` to origins that the document names.
fn credentials(vendor: &Asked, provider: &Provider, request: &FetchRequest) -> Option<String> {
    let content = |name: &str| {
        let files = vendor.vendor().files();
        let (_, text) = files.into_iter().find(|(file, _)| *file == name).unwrap();
        text.trim().to_owned()
    };
    if let (Purpose::Introspection, Some(id), Some(file)) =
        (request.purpose, &provider.client_id, &provider.client_secret_file)
    {
        let pair = format!("{}:{}", form_encode(id), form_encode(&content(file)));
        return Some(format!("Basic {}", STANDARD.encode(pair)));
    }
    let named = [Some(&provider.issuer_url), provider.jwks_url.as_ref(), provider.introspection_url.as_ref()];
    let is_named = named.into_iter().flatten().any(|url| url.origin() == request.url.origin());
    provider.auth_token_file.as_ref().filter(|_| is_named).map(|file| format!("Bearer {}", content(file)))
}

fn form_encode(text: &str) -> String {
    let encode = |character: char| match character {
        ' ' => "+".to_owned(),
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '*' => character.to_string(),
        other => format!("%{:02X}", u32::from(other)),
    };
    text.chars().map(encode).collect()
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
        let core = Core::new(&document.configuration(&world), None);
        passed += run(document, &world, &core).await;
    }
    assert!(passed > 150, "only {passed} cases");
    println!("{passed} cases passed");
}
