//! Garbage by the thousands, each token another one, in both shells: the provider is asked no more than the configuration allows, in any second, and
//! tokens that were good stay good, beyond the life of what is remembered of them.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use envoy_test::client::RawConnection;
use envoy_test::{EnvoyOptions, Gateway, GatewayOptions, RawRequest};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::registry_process::Registry;

/// Distinct tokens of one flood at least, which come as fast as this machine can.
const GARBAGE: usize = 10_000;
/// How long it lasts at least: longer than what is remembered of a token.
const LASTING: Duration = Duration::from_secs(3);
/// In scripts/nightly.
const NIGHTLY_LASTING: Duration = Duration::from_secs(30);

/// Over so many connections: more than there may be questions, because who asks one waits for the answer.
const CONNECTIONS: usize = 64;

/// Of people who are in already; their answers are remembered for a second.
const GOOD: [&str; 3] = ["good-ada", "good-bob", "good-eve"];

/// What one worker may ask, and how long the provider takes to answer: one limit is reached at a time.
#[derive(Clone, Copy)]
struct Limits {
    in_flight: usize,
    per_second: usize,
    latency: Duration,
}

const PER_SECOND: Limits = Limits { in_flight: 32, per_second: 100, latency: Duration::from_millis(5) };
const IN_FLIGHT: Limits = Limits { in_flight: 16, per_second: 10_000, latency: Duration::from_millis(50) };

/// An introspection endpoint that looks at its watch.
struct Endpoint {
    url: String,
    asked: Arc<Asked>,
}

#[derive(Default)]
struct Asked {
    latency: Duration,
    times: Mutex<Vec<Instant>>,
    now: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Endpoint {
    async fn start(limits: Limits) -> Self {
        let asked = Arc::new(Asked { latency: limits.latency, ..Asked::default() });
        let router = Router::new().route("/introspect", post(answer)).with_state(Arc::clone(&asked));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked }
    }

    fn document(&self, limits: Limits) -> Value {
        let provider = json!({
            "name": "p", "issuerUrl": self.url, "audience": "registry-api", "introspectionUrl": format!("{}/introspect", self.url),
        });
        json!({ "auth": { "mode": "oauth", "oauth": {
            "resourceUrl": "https://registry.example.com",
            "providers": [provider],
            "introspectionCache": { "ttl": "1s" },
            "introspectionLimits": { "inFlight": limits.in_flight, "perSecond": limits.per_second },
        } } })
    }

    /// The most questions that came within any second.
    fn most_in_a_second(&self) -> usize {
        let times = self.asked.times.lock().unwrap();
        let ends = |begin: &Instant| {
            times.partition_point(|time| time.duration_since(*begin) < Duration::from_secs(1))
        };
        times.iter().enumerate().map(|(number, begin)| ends(begin) - number).max().unwrap_or_default()
    }
}

async fn answer(State(asked): State<Arc<Asked>>, form: String) -> String {
    let now = asked.now.fetch_add(1, Ordering::SeqCst) + 1;
    asked.most_at_once.fetch_max(now, Ordering::SeqCst);
    {
        let mut times = asked.times.lock().unwrap();
        times.push(Instant::now());
    }
    tokio::time::sleep(asked.latency).await;
    asked.now.fetch_sub(1, Ordering::SeqCst);
    let is_good = form.starts_with("token=good");
    json!({ "active": is_good, "aud": "registry-api", "sub": "ada" }).to_string()
}

fn get(token: &str) -> RawRequest {
    RawRequest::get("/registry/default/v0.1/servers").bearer(token)
}

/// Sends garbage on one connection, as long as there is some, and counts what is answered 401 and 503. Not pipelined: Envoy takes that for an attack.
async fn pour(address: SocketAddr, next: Arc<AtomicUsize>, until: Instant) -> io::Result<[usize; 2]> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut refused, mut put_off) = (0, 0);
    let mut answer = Vec::with_capacity(4096);
    loop {
        let token = next.fetch_add(1, Ordering::SeqCst);
        if token >= GARBAGE && Instant::now() >= until {
            return Ok([refused, put_off]);
        }
        let request = format!(
            "GET /registry/default/v0.1/servers HTTP/1.1\r\nHost: registry.example.com\r\nAuthorization: Bearer garbage-{token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        answer.clear();
        // All answers to garbage end with one JSON object.
        while !answer.ends_with(b"}") {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        match answer.get(..12) {
            Some(b"HTTP/1.1 401") => refused += 1,
            Some(b"HTTP/1.1 503") => put_off += 1,
            _ => panic!("garbage was answered {}", String::from_utf8_lossy(&answer)),
        }
    }
}

/// Asks with good tokens on one connection until told to stop; returns how often.
async fn stay(mut connection: RawConnection, stop: Arc<AtomicBool>) -> usize {
    let mut answered = 0;
    while !stop.load(Ordering::SeqCst) {
        for token in GOOD {
            let answer = connection.exchange(&get(token)).await.unwrap();
            assert_eq!(answer.status, 200, "{token} after {answered} answers: {}", answer.text());
            answered += 1;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    answered
}

async fn flood(address: SocketAddr, endpoint: &Endpoint, limits: Limits, workers: usize) {
    let lasting = if std::env::var_os("NIGHTLY").is_some() { NIGHTLY_LASTING } else { LASTING };
    // Each worker gets to know those who are in, on the connections that they keep.
    let mut connections = Vec::new();
    for _ in 0..2 * workers {
        let mut connection = RawConnection::connect(address).await.unwrap();
        for token in GOOD {
            assert_eq!(connection.exchange(&get(token)).await.unwrap().status, 200);
        }
        connections.push(connection);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut staying = JoinSet::new();
    for connection in connections {
        staying.spawn(stay(connection, Arc::clone(&stop)));
    }
    let started = Instant::now();
    let mut pouring = JoinSet::new();
    let next = Arc::new(AtomicUsize::new(0));
    for _ in 0..CONNECTIONS {
        pouring.spawn(pour(address, Arc::clone(&next), started + lasting));
    }
    let (mut refused, mut put_off) = (0, 0);
    for answers in pouring.join_all().await {
        let [more_refused, more_put_off] = answers.unwrap();
        (refused, put_off) = (refused + more_refused, put_off + more_put_off);
    }
    let took = started.elapsed();
    stop.store(true, Ordering::SeqCst);
    let good: usize = staying.join_all().await.into_iter().sum();
    let (most, at_once) = (endpoint.most_in_a_second(), endpoint.asked.most_at_once.load(Ordering::SeqCst));
    let garbage = refused + put_off;
    println!(
        "{garbage} tokens in {took:?}, {:.0} a second: {refused} refused, {put_off} put off; at most {most} questions in a second, {at_once} at once; {good} good requests",
        garbage as f64 / took.as_secs_f64(),
    );
    assert!(put_off > 0, "it was not enough garbage");
    assert!(at_once <= workers * limits.in_flight, "{at_once} questions at once");
    // Those in flight when a second begins may have been sent before it.
    assert!(most <= workers * (limits.per_second + limits.in_flight), "{most} questions in a second");
}

async fn in_envoy(limits: Limits) {
    let _alone = crate::ALONE.lock().await;
    let endpoint = Endpoint::start(limits).await;
    let quiet = EnvoyOptions {
        concurrency: 2,
        component_log_level: "wasm:warning".to_owned(),
        ..EnvoyOptions::default()
    };
    let options = GatewayOptions { envoy: quiet, ..GatewayOptions::default() };
    let gateway = Gateway::start(&endpoint.document(limits), &options).await;
    flood(gateway.address(), &endpoint, limits, 2).await;
}

async fn natively(limits: Limits) {
    let _alone = crate::ALONE.lock().await;
    let endpoint = Endpoint::start(limits).await;
    let registry = Registry::start(&endpoint.document(limits)).await;
    flood(registry.address, &endpoint, limits, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_envoy_garbage_costs_the_provider_no_more_questions_a_second_than_allowed() {
    in_envoy(PER_SECOND).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_envoy_garbage_costs_the_provider_no_more_questions_at_once_than_allowed() {
    in_envoy(IN_FLIGHT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn natively_garbage_costs_the_provider_no_more_questions_a_second_than_allowed() {
    natively(PER_SECOND).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn natively_garbage_costs_the_provider_no_more_questions_at_once_than_allowed() {
    natively(IN_FLIGHT).await;
}
