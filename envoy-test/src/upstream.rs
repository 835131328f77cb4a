//! The upstream: answers every request with JSON of what reached it, and remembers it, so that a test can also prove that nothing did.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::message::{Headers, RawRequest};
use crate::server_thread::ServerThread;

/// Requests with this header can be asked for by its value, so that tests running at once do not see each other's.
pub const CASE_HEADER: &str = "x-case-id";

/// A request with this header, whose value is `name: value`, is answered with that header too. It may be there more than once.
pub const ANSWER_HEADER: &str = "x-answer";

/// The headers that a request wants of its answer.
pub fn wanted_headers(request: &RawRequest) -> Headers {
    let split = |value: &str| {
        value.split_once(": ").map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
    };
    request.values(ANSWER_HEADER).iter().filter_map(|value| split(value)).collect()
}

/// A running upstream, HTTP/1.1 and HTTP/2 by prior knowledge. It ends when dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    ledger: Arc<watch::Sender<Vec<Arrival>>>,
    _server: ServerThread,
}

/// One request that reached the upstream. It is listed from the moment its headers came; body and trailers are filled in when they have ended.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// What came, header names in lower case.
    pub request: RawRequest,
    /// When the headers came.
    pub arrived: Instant,
    /// When the first byte of the body came.
    pub first_body_byte: Option<Instant>,
    /// Whether body and trailers came to their end.
    pub complete: bool,
}

/// How long [`Upstream::wait_until`] waits before it fails the test.
const PATIENCE: Duration = Duration::from_secs(20);

impl Upstream {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// No port could be bound.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let ledger = Arc::new(watch::Sender::new(Vec::new()));
        let served = Arc::clone(&ledger);
        let server = ServerThread::start(listener, move |stream| {
            let ledger = Arc::clone(&served);
            async move {
                let service = service_fn(move |request| {
                    let ledger = Arc::clone(&ledger);
                    async move { Ok::<_, Infallible>(answer(&ledger, request).await) }
                });
                let builder = auto::Builder::new(TokioExecutor::new());
                // Errors here are clients that went away.
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            }
        })?;
        Ok(Self { address, ledger, _server: server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.ledger.borrow().clone()
    }

    /// Requests whose `x-case-id` is this.
    pub fn arrivals_of(&self, case: &str) -> Vec<Arrival> {
        self.ledger
            .borrow()
            .iter()
            .filter(|arrival| arrival.request.values(CASE_HEADER).iter().any(|id| id == case))
            .cloned()
            .collect()
    }

    /// Forgets every request so far.
    pub fn clear(&self) {
        self.ledger.send_modify(Vec::clear);
    }

    /// Returns when `condition` holds for the requests so far.
    ///
    /// # Panics
    /// After 20 seconds.
    pub async fn wait_until(&self, condition: impl Fn(&[Arrival]) -> bool) {
        let mut arrivals = self.ledger.subscribe();
        let met =
            tokio::time::timeout(PATIENCE, arrivals.wait_for(|arrivals| condition(arrivals))).await.is_ok();
        assert!(met, "the upstream did not get what was waited for in {PATIENCE:?}: {:?}", self.arrivals());
    }
}

async fn answer(ledger: &watch::Sender<Vec<Arrival>>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, mut body) = request.into_parts();
    let target = head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string);
    let mut received = RawRequest::new(head.method.as_str(), &target);
    received.headers = pairs(&head.headers);
    let arrival = Arrival {
        request: received.clone(),
        arrived: Instant::now(),
        first_body_byte: None,
        complete: false,
    };
    let mut index = 0;
    ledger.send_modify(|arrivals| {
        index = arrivals.len();
        arrivals.push(arrival.clone());
    });
    let amend = |change: &dyn Fn(&mut Arrival)| {
        ledger.send_modify(|arrivals| {
            // Another one has this place when the list was cleared meanwhile.
            if let Some(entry) = arrivals.get_mut(index).filter(|entry| entry.arrived == arrival.arrived) {
                change(entry);
            }
        });
    };
    let mut whole = true;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            whole = false;
            break;
        };
        match frame.into_data() {
            Ok(data) => {
                if received.body.is_empty() && !data.is_empty() {
                    let now = Instant::now();
                    amend(&|entry| entry.first_body_byte = Some(now));
                }
                received.body.extend_from_slice(&data);
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    received.trailers = pairs(&trailers);
                }
            }
        }
    }
    amend(&|entry| {
        entry.request = received.clone();
        entry.complete = whole;
    });
    let mut response = Response::new(Full::from(describe(&received, index + 1).to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert("x-upstream", HeaderValue::from_static("echo"));
    for (name, value) in wanted_headers(&received) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn describe(request: &RawRequest, count: usize) -> Value {
    let show = |headers: &Headers| -> Vec<Value> {
        headers.iter().map(|(name, value)| json!([name, String::from_utf8_lossy(value)])).collect()
    };
    json!({
        "method": request.method,
        "path": String::from_utf8_lossy(&request.target),
        "headers": show(&request.headers),
        "trailers": show(&request.trailers),
        "bodyLength": request.body.len(),
        "bodySha256": hex(digest(&SHA256, &request.body).as_ref()),
        "count": count,
    })
}

fn pairs(headers: &HeaderMap) -> Headers {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
