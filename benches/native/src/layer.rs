//! Whole requests through an axum router: with nothing before it, with our layer, and with a middleware around `jsonwebtoken`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{Request, StatusCode};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use registry::auth::{AuthLayer, Fetcher, Gate, Tuning};
use registry_auth::signature::{Algorithm, Backend};
use serde::{Deserialize, Serialize};
use tower::Service;

use crate::arm::Arm;
use crate::clock::{on_threads, time};
use crate::core::{VERIFIED, described};
use crate::fixture::{AUDIENCE, Failure, Fixture, HEADERS, ISSUER, PATH, Token};

/// Requests that are made at once, before the time is taken.
const BATCH: usize = 500;
/// Batches of one thread in a round, where no signature is verified.
const BATCHES: usize = 10;

/// What stands before the router.
#[derive(Clone, Copy)]
pub(crate) enum Before {
    Nothing,
    OurLayer,
    Jsonwebtoken,
}

impl Before {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "axum alone",
            Self::OurLayer => "axum with our layer",
            Self::Jsonwebtoken => "axum with jsonwebtoken",
        }
    }
}

/// The same `live` tokens again and again; seen before, wherever that makes a difference.
pub(crate) fn repeated(
    fixture: &'static Fixture,
    before: Before,
    live: usize,
    threads: usize,
) -> Result<Arm, Failure> {
    let tokens = fixture.tokens(Algorithm::RS256, live)?;
    let router = router(fixture, before, threads)?;
    let name = match before {
        Before::Nothing => before.as_str().to_owned(),
        Before::OurLayer => format!("{}, {}", before.as_str(), described(live)),
        Before::Jsonwebtoken => format!("{}, RS256 verified, {live} tokens", before.as_str()),
    };
    send(&mut router.clone(), requests(tokens.iter())?)?;
    Ok(Arm::new(name, threads, move || {
        on_threads(threads, |thread, wait| {
            let (mut router, mut spent) = (router.clone(), 0.0);
            wait();
            for batch in 0..BATCHES {
                let from = thread + batch * BATCH;
                let chosen = (from..from + BATCH).filter_map(|at| tokens.get((at * 7919) % tokens.len()));
                let requests = requests(chosen)?;
                spent += time(|| send(&mut router, requests))?;
            }
            Ok((spent, BATCHES * BATCH))
        })
    }))
}

/// Each token is seen for the first time.
pub(crate) fn first_seen(
    fixture: &'static Fixture,
    before: Before,
    algorithm: Algorithm,
    threads: usize,
) -> Result<Arm, Failure> {
    let tokens = fixture.tokens(algorithm, VERIFIED * threads)?;
    Ok(Arm::new(format!("{}, {algorithm} verified", before.as_str()), threads, move || {
        let router = router(fixture, before, threads)?;
        on_threads(threads, |thread, wait| {
            let mut router = router.clone();
            let requests = requests(tokens.iter().skip(thread * VERIFIED).take(VERIFIED))?;
            let count = requests.len();
            wait();
            Ok((time(|| send(&mut router, requests))?, count))
        })
    }))
}

fn router(fixture: &Fixture, before: Before, threads: usize) -> Result<Router, Failure> {
    let router = Router::new().route("/v0.1/servers", get(async || StatusCode::OK));
    Ok(match before {
        Before::Nothing => router,
        Before::OurLayer => {
            let authenticator = fixture.authenticator(Backend::AwsLc, threads)?;
            let tuning = Tuning::default();
            let certificates = authenticator.providers().iter().map(|_| Vec::new()).collect();
            let fetcher = Fetcher::new(authenticator.providers(), certificates, Path::new(""), &tuning)?;
            AuthLayer::new(Gate::start(authenticator, fetcher, &tuning)).protect(router)
        }
        Before::Jsonwebtoken => router.layer(from_fn_with_state(Checks::new(fixture)?, check)),
    })
}

fn requests<'a>(tokens: impl Iterator<Item = &'a Token>) -> Result<Vec<Request<Body>>, Failure> {
    tokens
        .map(|token| {
            let request = Request::get(PATH).header("authorization", format!("Bearer {}", token.text));
            let request =
                HEADERS.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            Ok(request.body(Body::empty())?)
        })
        .collect()
}

/// No request waits for anything, so that polling once is enough, and what a runtime costs is left out.
fn send(router: &mut Router, requests: Vec<Request<Body>>) -> Result<(), Failure> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for request in requests {
        let mut answer = std::pin::pin!(Service::call(router, request));
        match answer.as_mut().poll(&mut context) {
            std::task::Poll::Ready(Ok(response)) if response.status() == StatusCode::OK => {}
            std::task::Poll::Ready(Ok(response)) => return Err(format!("{:?}", response).into()),
            std::task::Poll::Pending => return Err("a request waits".into()),
        }
    }
    Ok(())
}

/// What a service that uses `jsonwebtoken` keeps.
#[derive(Clone)]
struct Checks(Arc<BTreeMap<String, (DecodingKey, Validation)>>);

impl Checks {
    fn new(fixture: &Fixture) -> Result<Self, Failure> {
        let set: JwkSet = serde_json::from_value(fixture.jwk_set())?;
        let mut keys = BTreeMap::new();
        for jwk in &set.keys {
            let kid = jwk.common.key_id.clone().ok_or("no kid")?;
            let mut validation = Validation::new(kid.parse()?);
            validation.set_issuer(&[ISSUER]);
            validation.set_audience(&[AUDIENCE]);
            keys.insert(kid, (DecodingKey::from_jwk(jwk)?, validation));
        }
        Ok(Self(Arc::new(keys)))
    }
}

/// What a service makes of a token: who it speaks for, and what it may.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    name: Option<String>,
    preferred_username: Option<String>,
    scope: Option<String>,
}

/// Signature, `iss`, `aud`, `exp`, with a key looked up by `kid`.
async fn check(State(checks): State<Checks>, mut request: Request<Body>, next: Next) -> Response {
    let Checks(checks) = checks;
    let claims = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .and_then(|token| {
            let kid = decode_header(token).ok()?.kid?;
            let (key, validation) = checks.get(&kid)?;
            decode::<Claims>(token, key, validation).ok()
        });
    match claims {
        Some(token) => {
            request.extensions_mut().insert(token.claims);
            next.run(request).await
        }
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
