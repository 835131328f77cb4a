//! What a client may not do to the server, and how the server ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use registry::http::guard::limited;
use registry::metrics::Metrics;
use registry::server::{Protection, Running, Tuning, start, start_with_metrics};
use support::{PATIENCE, data, get, one_file, parse, raw, send, start_large};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

const LIST: &str = "/registry/default/v0.1/servers";

async fn start_tuned(tuning: Tuning, protection: Protection) -> Running {
    let config = support::config(&one_file(&data("catalog-large.json")), Path::new(""));
    start(config, protection, tuning).await.unwrap()
}

/// Requests wait here until the test lets them on.
struct Gate {
    arrived: Semaphore,
    open: Semaphore,
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self { arrived: Semaphore::new(0), open: Semaphore::new(0) })
    }

    /// A router whose requests wait, but for those with the header `x-hurry`.
    fn before(self: Arc<Self>, router: Router) -> Router {
        router.layer(from_fn(move |request: Request, next: Next| {
            let gate = Arc::clone(&self);
            async move {
                if request.headers().contains_key("x-hurry") {
                    return next.run(request).await;
                }
                gate.arrived.add_permits(1);
                let _permit = gate.open.acquire().await.unwrap();
                next.run(request).await
            }
        }))
    }
}

fn gated() -> (Arc<Gate>, Protection) {
    let gate = Gate::new();
    let inside = Arc::clone(&gate);
    (gate, Protection::Layer(Box::new(move |router| inside.before(router))))
}

/// A slow API under limits of its own.
async fn start_slow(gate: &Arc<Gate>, tuning: Tuning) -> Running {
    let metrics = Arc::new(Metrics::default());
    let (inside, counted) = (Arc::clone(gate), Arc::clone(&metrics));
    let slow =
        move |router| limited(inside.before(router), tuning.max_requests, tuning.request_timeout, counted);
    let config = support::config(&one_file(&data("catalog-large.json")), Path::new(""));
    start_with_metrics(config, Protection::Layer(Box::new(slow)), tuning, metrics).await.unwrap()
}

#[tokio::test]
async fn headers_over_the_limit_are_refused_with_a_text() {
    let running = start_large().await;
    let allowed = "x".repeat(31 * 1024);
    assert_eq!(send(running.public, "GET", LIST, &[("x-large", &allowed)]).await.status, 200);
    let large = "x".repeat(32 * 1024);
    for response in [
        send(running.public, "GET", LIST, &[("x-large", &large)]).await,
        get(running.public, &format!("{LIST}?search={large}")).await,
    ] {
        assert_eq!(response.status, 431);
        response.error();
    }
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let running = start_large().await;
    let mut stream = TcpStream::connect(running.public).await.unwrap();
    let head = format!("GET {LIST} HTTP/1.1\r\nhost: x\r\nx-large: ");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b'x'; 4096];
    // The server stops reading at its limit, answers and closes.
    let sent = async {
        let mut sent = 0;
        while stream.write_all(&chunk).await.is_ok() {
            sent += chunk.len();
        }
        sent
    };
    let sent = tokio::time::timeout(PATIENCE, sent).await.unwrap();
    assert!(sent < 64 * 1024 * 1024, "{sent}");
}

#[tokio::test]
async fn what_is_not_http_is_refused_and_the_server_lives_on() {
    let running = start_large().await;
    for request in [
        &b"GARBAGE\r\n\r\n"[..],
        b"GET /\x01 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ] {
        let response = raw(running.public, request).await;
        assert_eq!(response.status, 400, "{request:?}");
    }
    assert_eq!(get(running.public, LIST).await.status, 200);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_sent() {
    let running = start_large().await;
    let response = send(running.public, "POST", "/v1/entries", &[("content-length", "1048577")]).await;
    assert_eq!(response.status, 413);
    assert_eq!(response.header("connection"), Some("close"));
    response.error();
}

#[tokio::test]
async fn requests_beyond_the_capacity_are_refused_at_once() {
    let gate = Gate::new();
    let running = start_slow(&gate, Tuning { max_requests: 2, ..support::tuning() }).await;
    let public = running.public;
    let waiting: Vec<_> =
        (0..2).map(|_| tokio::spawn(async move { get(public, LIST).await.status })).collect();
    let _arrived = gate.arrived.acquire_many(2).await.unwrap();

    let refused = get(running.public, LIST).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    refused.error();
    let metrics = String::from_utf8(get(running.internal, "/metrics").await.body).unwrap();
    assert!(metrics.contains("registry_http_requests_shed_total 1"), "{metrics}");

    gate.open.add_permits(10);
    for request in waiting {
        assert_eq!(request.await.unwrap(), 200);
    }
    assert_eq!(get(running.public, LIST).await.status, 200);
}

#[tokio::test]
async fn the_api_is_limited_and_what_waits_before_it_is_not() {
    let running = start_tuned(Tuning { max_requests: 0, ..support::tuning() }, Protection::Anonymous).await;
    assert_eq!(get(running.public, LIST).await.status, 503);

    let (gate, protection) = gated();
    let running = start_tuned(Tuning { max_requests: 1, ..support::tuning() }, protection).await;
    let public = running.public;
    let waiting: Vec<_> =
        (0..3).map(|_| tokio::spawn(async move { get(public, LIST).await.status })).collect();
    let _arrived = gate.arrived.acquire_many(3).await.unwrap();
    assert_eq!(send(public, "GET", LIST, &[("x-hurry", "1")]).await.status, 200);
    for request in waiting {
        gate.open.add_permits(1);
        assert_eq!(request.await.unwrap(), 200);
    }
}

#[tokio::test]
async fn connections_beyond_the_capacity_are_refused_at_once() {
    let tuning = Tuning { max_connections: 2, ..support::tuning() };
    let running = start_tuned(tuning, Protection::Anonymous).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(running.public).await.unwrap();
        stream.write_all(format!("HEAD {LIST} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        // Answered: the connection is counted.
        stream.read_u8().await.unwrap();
        held.push(stream);
    }
    let refused = raw(running.public, b"").await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.error(), "Too many connections at once");
    assert_eq!(refused.header("content-length"), Some(refused.body.len().to_string().as_str()));
    // The internal listener has its own.
    assert_eq!(get(running.internal, "/health").await.status, 200);
    let metrics = String::from_utf8(get(running.internal, "/metrics").await.body).unwrap();
    assert!(metrics.contains("registry_connections 2\n"), "{metrics}");
    assert!(metrics.contains("registry_connections_refused_total 1\n"), "{metrics}");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_503() {
    // The head's own time is shorter and must not end the connection first.
    let tuning = Tuning {
        request_timeout: Duration::from_millis(100),
        header_timeout: Duration::from_millis(20),
        ..support::tuning()
    };
    let running = start_slow(&Gate::new(), tuning).await;
    let response = get(running.public, LIST).await;
    assert_eq!(response.status, 503);
    response.error();
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_closed() {
    let tuning = Tuning {
        header_timeout: Duration::from_millis(50),
        idle_timeout: Duration::from_millis(200),
        ..support::tuning()
    };
    let running = start_tuned(tuning, Protection::Anonymous).await;
    for sent in ["", "G", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = TcpStream::connect(running.public).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "{sent:?}");
    }
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let running = start_large().await;
    let mut stream = TcpStream::connect(running.public).await.unwrap();
    let request = format!("HEAD {LIST} HTTP/1.1\r\nhost: x\r\n\r\n");
    let last = format!("HEAD {LIST} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(format!("{}{last}", request.repeat(20)).as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let answers = String::from_utf8(bytes).unwrap().matches("HTTP/1.1 200 OK").count();
    assert_eq!(answers, 21);
}

#[tokio::test]
async fn stopping_turns_readiness_first_and_lets_requests_end() {
    let (gate, protection) = gated();
    let running = start_tuned(support::tuning(), protection).await;
    let (public, internal) = (running.public, running.internal);
    let mut request = TcpStream::connect(public).await.unwrap();
    request.write_all(format!("GET {LIST}?limit=1 HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let _arrived = gate.arrived.acquire().await.unwrap();

    let stopping = tokio::spawn(running.stop());
    let refused = async { while TcpStream::connect(public).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    let readiness = get(internal, "/readiness").await;
    assert_eq!((readiness.status, readiness.json()["status"].as_str()), (503, Some("stopping")));
    assert_eq!(get(internal, "/health").await.status, 200);

    gate.open.add_permits(1);
    let mut bytes = Vec::new();
    tokio::time::timeout(PATIENCE, request.read_to_end(&mut bytes)).await.unwrap().unwrap();
    let response = parse(&bytes);
    assert_eq!((response.status, response.names().len()), (200, 1));
    tokio::time::timeout(PATIENCE, stopping).await.unwrap().unwrap();
    assert!(TcpStream::connect(internal).await.is_err());
}

#[tokio::test]
async fn requests_that_do_not_end_are_cut() {
    let (gate, protection) = gated();
    let tuning = Tuning { drain: Duration::from_millis(50), ..support::tuning() };
    let running = start_tuned(tuning, protection).await;
    let mut request = TcpStream::connect(running.public).await.unwrap();
    request.write_all(format!("GET {LIST} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let _arrived = gate.arrived.acquire().await.unwrap();
    tokio::time::timeout(PATIENCE, running.stop()).await.unwrap();
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, request.read_to_end(&mut bytes)).await.unwrap();
    assert!(bytes.is_empty());
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let running = start_large().await;
    let mut idle = TcpStream::connect(running.public).await.unwrap();
    idle.write_all(format!("HEAD {LIST} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    idle.read_u8().await.unwrap();
    tokio::time::timeout(PATIENCE, running.stop()).await.unwrap();
}
