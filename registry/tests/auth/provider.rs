//! An identity provider on loopback whose keys and faults the tests set, and which counts what it is asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// How a provider answers.
#[derive(Clone, Debug, Default)]
pub enum Fault {
    /// As it should.
    #[default]
    None,
    /// Not before the value is true.
    Held(watch::Receiver<bool>),
    /// Never.
    Hangs,
    /// With a redirect to there.
    Redirects(String),
    /// With a body of so many bytes, whose length it tells or not.
    Long { length: usize, declared: bool },
}

pub struct Provider {
    pub address: SocketAddr,
    state: Arc<State>,
    accepting: AbortHandle,
}

struct State {
    issuer: String,
    fault: Mutex<Fault>,
    published: Mutex<Vec<u8>>,
    discoveries: AtomicUsize,
    key_sets: AtomicUsize,
    connections: AtomicUsize,
    written: Arc<AtomicUsize>,
    asked: watch::Sender<usize>,
    ended: watch::Sender<usize>,
}

impl Provider {
    /// With this key, and an issuer on its address.
    pub async fn start(seed: u8) -> Self {
        Self::with_issuer(seed, |address| format!("http://{address}"), None).await
    }

    pub async fn with_issuer(
        seed: u8,
        issuer: impl FnOnce(SocketAddr) -> String,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            issuer: issuer(address),
            fault: Mutex::default(),
            published: Mutex::new(vec![seed]),
            discoveries: AtomicUsize::new(0),
            key_sets: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            written: Arc::default(),
            asked: watch::Sender::new(0),
            ended: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, tls, Arc::clone(&state))).abort_handle();
        Self { address, state, accepting }
    }

    pub fn issuer(&self) -> &str {
        &self.state.issuer
    }

    pub fn set_fault(&self, fault: Fault) {
        *self.state.fault.lock().unwrap() = fault;
    }

    pub fn publish(&self, seeds: &[u8]) {
        *self.state.published.lock().unwrap() = seeds.to_vec();
    }

    /// Discovery documents and key sets asked for.
    pub fn fetches(&self) -> (usize, usize) {
        (self.state.discoveries.load(Ordering::SeqCst), self.state.key_sets.load(Ordering::SeqCst))
    }

    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Bytes of long bodies that were taken from it.
    pub fn written(&self) -> usize {
        self.state.written.load(Ordering::SeqCst)
    }

    /// Waits until so many requests have come.
    pub async fn asked(&self, times: usize) {
        self.state.asked.subscribe().wait_for(|asked| *asked >= times).await.unwrap();
    }

    /// Waits until so many connections have ended.
    pub async fn ended(&self, times: usize) {
        self.state.ended.subscribe().wait_for(|ended| *ended >= times).await.unwrap();
    }

    /// What it publishes, for another one to serve.
    pub fn key_set(&self) -> Value {
        key_set(&self.state)
    }

    /// The same of its metadata.
    pub fn metadata(&self) -> Value {
        metadata(&self.state)
    }

    pub fn token(&self, seed: u8) -> String {
        self.token_with(seed, json!({}))
    }

    /// A token with further claims.
    pub fn token_with(&self, seed: u8, more: Value) -> String {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let mut claims = json!({"iss": self.issuer(), "aud": "registry-api", "sub": "ada", "exp": now + 300,
            "scope": "mcp-registry:read", "name": "Ada L"});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let header = json!({"alg": "EdDSA", "kid": format!("kid-{seed}"), "typ": "at+jwt"});
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let input = format!("{header}.{claims}");
        let signature = key(seed).sign(input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn jwk(seed: u8) -> Value {
    let public = URL_SAFE_NO_PAD.encode(key(seed).public_key().as_ref());
    json!({"kty": "OKP", "crv": "Ed25519", "kid": format!("kid-{seed}"), "use": "sig", "alg": "EdDSA", "x": public})
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        state.connections.fetch_add(1, Ordering::SeqCst);
        let (state, tls) = (Arc::clone(&state), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(stream, &state).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, &state).await;
                    }
                }
            }
            state.ended.send_modify(|ended| *ended += 1);
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, state: &Arc<State>) {
    let answer = service_fn(|request: Request<Incoming>| {
        let state = Arc::clone(state);
        async move { Ok::<_, Infallible>(answer(&state, &request).await) }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

async fn answer(state: &State, request: &Request<Incoming>) -> Response<Body> {
    let is_key_set = request.uri().path() == "/keys";
    let counter = if is_key_set { &state.key_sets } else { &state.discoveries };
    counter.fetch_add(1, Ordering::SeqCst);
    state.asked.send_modify(|asked| *asked += 1);
    let fault = state.fault.lock().unwrap().clone();
    match fault {
        Fault::None => {}
        Fault::Held(mut released) => {
            released.wait_for(|released| *released).await.unwrap();
        }
        Fault::Hangs => std::future::pending().await,
        Fault::Redirects(location) => {
            return Response::builder().status(302).header("location", location).body(Body::empty()).unwrap();
        }
        Fault::Long { length, declared } => {
            let body = Long { left: length, declared, written: Arc::clone(&state.written) };
            return Response::new(Body::new(body));
        }
    }
    let body = if is_key_set { key_set(state) } else { metadata(state) };
    Response::new(Body::from(body.to_string()))
}

fn key_set(state: &State) -> Value {
    let published = state.published.lock().unwrap().clone();
    json!({"keys": published.into_iter().map(jwk).collect::<Vec<_>>()})
}

fn metadata(state: &State) -> Value {
    json!({"issuer": state.issuer, "jwks_uri": format!("{}/keys", state.issuer)})
}

/// A body of blanks.
struct Long {
    left: usize,
    declared: bool,
    written: Arc<AtomicUsize>,
}

impl http_body::Body for Long {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.left.min(64 * 1024);
        self.left -= length;
        self.written.fetch_add(length, Ordering::SeqCst);
        let frame = (length > 0).then(|| Ok(Frame::data(Bytes::from(vec![b' '; length]))));
        std::task::Poll::Ready(frame)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        if self.declared {
            http_body::SizeHint::with_exact(u64::try_from(self.left).unwrap())
        } else {
            http_body::SizeHint::default()
        }
    }
}
