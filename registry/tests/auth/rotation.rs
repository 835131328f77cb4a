//! Certificates and credentials that are replaced on disk while requests come in (SPEC C-6). What `envoy-test/tests/e2e/transports/` shows of the
//! filter, natively: in use within two seconds, and no request fails, neither a client's nor one of ours to the provider.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use registry::auth::Tuning;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;

use crate::gateway::{Gateway, document, tuning};
use crate::provider::Provider;

/// How soon a replaced file is in use.
const IN_USE_WITHIN: Duration = Duration::from_secs(2);

/// What the load asks: this many questions a second, each about a token that nobody has asked about before.
const REQUESTS_A_SECOND: u32 = 100;

/// A certificate authority, and what it certifies for `localhost`.
struct Authority {
    pem: String,
    tls: TlsAcceptor,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf = names.signed_by(&key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        Self { pem: issuer.pem(), tls: TlsAcceptor::from(Arc::new(config)) }
    }
}

/// A provider that lets in who has the right credentials, and serves one request a connection, so that each verifies its certificate.
struct Idp {
    url: String,
    state: Arc<State>,
}

struct State {
    presented: Mutex<TlsAcceptor>,
    /// `Authorization` values that are let in.
    accepted: Mutex<BTreeSet<String>>,
    /// Those that came.
    seen: watch::Sender<BTreeSet<String>>,
    answered: watch::Sender<usize>,
    refused: watch::Sender<usize>,
    keys: Provider,
}

impl Idp {
    async fn start(presented: &Authority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let issuer = url.clone();
        let state = Arc::new(State {
            presented: Mutex::new(presented.tls.clone()),
            accepted: Mutex::default(),
            seen: watch::Sender::default(),
            answered: watch::Sender::default(),
            refused: watch::Sender::default(),
            keys: Provider::with_issuer(1, move |_| issuer, None).await,
        });
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(Arc::clone(&serving), stream));
            }
        });
        Self { url, state }
    }

    fn present(&self, authority: &Authority) {
        *self.state.presented.lock().unwrap() = authority.tls.clone();
    }

    fn accept(&self, credentials: &[&str]) {
        *self.state.accepted.lock().unwrap() = credentials.iter().map(|&it| it.to_owned()).collect();
    }

    fn refused(&self) -> usize {
        *self.state.refused.borrow()
    }

    async fn seen(&self, credentials: &str) {
        self.state.seen.subscribe().wait_for(|seen| seen.contains(credentials)).await.unwrap();
    }

    /// Waits until so many more requests were answered.
    async fn answers(&self, more: usize) {
        let goal = *self.state.answered.borrow() + more;
        self.state.answered.subscribe().wait_for(|answered| *answered >= goal).await.unwrap();
    }
}

async fn serve(state: Arc<State>, stream: TcpStream) {
    let tls = state.presented.lock().unwrap().clone();
    let Ok(stream) = tls.accept(stream).await else {
        state.refused.send_modify(|refused| *refused += 1);
        return;
    };
    let answer = service_fn(|request: Request<Incoming>| {
        let answer = answer(&state, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let _ = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), answer).await;
}

fn answer(state: &State, request: &Request<Incoming>) -> Response<Body> {
    let credentials = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let credentials = credentials.unwrap_or_default();
    let is_let_in = state.accepted.lock().unwrap().contains(&credentials);
    state.seen.send_modify(|seen| _ = seen.insert(credentials));
    if !is_let_in {
        state.refused.send_modify(|refused| *refused += 1);
        return Response::builder().status(401).body(Body::empty()).unwrap();
    }
    state.answered.send_modify(|answered| *answered += 1);
    let body = match request.uri().path() {
        "/introspect" => json!({"active": true, "aud": "registry-api", "sub": "ada"}),
        "/keys" => state.keys.key_set(),
        _ => state.keys.metadata(),
    };
    Response::new(Body::from(body.to_string()))
}

/// How files are replaced.
enum Files {
    /// Each by renaming another one over it.
    Renamed(TempDir),
    /// All at once, as the kubelet does: names lead to `..data`, which leads to the directory of the moment.
    Volume(TempDir),
}

const NAMES: [&str; 3] = ["ca.crt", "token", "secret"];

impl Files {
    fn renamed(texts: [&str; 3]) -> Self {
        let files = Self::Renamed(tempfile::tempdir().unwrap());
        files.replace(texts);
        files
    }

    fn volume(texts: [&str; 3]) -> Self {
        let files = Self::Volume(tempfile::tempdir().unwrap());
        files.replace(texts);
        for name in NAMES {
            std::os::unix::fs::symlink(format!("..data/{name}"), files.directory().join(name)).unwrap();
        }
        files
    }

    fn directory(&self) -> &Path {
        match self {
            Self::Renamed(directory) | Self::Volume(directory) => directory.path(),
        }
    }

    fn replace(&self, texts: [&str; 3]) {
        let directory = self.directory();
        let write = |to: PathBuf| {
            std::fs::create_dir_all(&to).unwrap();
            for (name, text) in NAMES.iter().zip(texts) {
                std::fs::write(to.join(name), text).unwrap();
            }
        };
        match self {
            Self::Renamed(_) => {
                write(directory.join("new"));
                for name in NAMES {
                    std::fs::rename(directory.join("new").join(name), directory.join(name)).unwrap();
                }
            }
            Self::Volume(_) => {
                let previous = std::fs::read_link(directory.join("..data"));
                let next = tempfile::Builder::new().prefix("..").tempdir_in(directory).unwrap().keep();
                write(next.clone());
                std::os::unix::fs::symlink(&next, directory.join("..data_tmp")).unwrap();
                std::fs::rename(directory.join("..data_tmp"), directory.join("..data")).unwrap();
                if let Ok(previous) = previous {
                    std::fs::remove_dir_all(directory.join(previous)).unwrap();
                }
            }
        }
    }
}

/// Steady requests: opaque tokens, each a new one, and a JWT whose keys are fetched again all the time.
struct Load {
    tasks: JoinSet<usize>,
    stop: Arc<AtomicBool>,
}

impl Load {
    fn start(gateway: &Arc<Gateway>, idp: &Idp) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for task in 0..2 {
            let (gateway, stop) = (Arc::clone(gateway), Arc::clone(&stop));
            let jwt = idp.state.keys.token(1);
            tasks.spawn(async move {
                let mut pace = tokio::time::interval(Duration::from_secs(2) / REQUESTS_A_SECOND);
                let mut answered = 0;
                while !stop.load(Ordering::SeqCst) {
                    pace.tick().await;
                    let opaque = format!("opaque-{task}-{answered}");
                    for token in [opaque.as_str(), &jwt] {
                        let answer = gateway.ask(token).await;
                        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
                        answered += 1;
                    }
                }
                answered
            });
        }
        Self { tasks, stop }
    }

    async fn end(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        self.tasks.join_all().await.into_iter().sum()
    }
}

fn basic(secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("registry:{secret}")))
}

async fn everything_is_exchanged(files: impl FnOnce([&str; 3]) -> Files) {
    let [old, new] = [Authority::new(), Authority::new()];
    let idp = Idp::start(&old).await;
    let files = files([&old.pem, "token-1", "secret-1"]);
    let (old_token, old_secret) = ("Bearer token-1", basic("secret-1"));
    let (new_token, new_secret) = ("Bearer token-2", basic("secret-2"));
    idp.accept(&[old_token, &old_secret]);
    let mut document = document(&[json!({
        "name": "p", "issuerUrl": idp.url, "audience": "registry-api", "introspectionUrl": format!("{}/introspect", idp.url),
        "clientId": "registry", "clientSecretFile": "secret", "authTokenFile": "token", "caCertPath": "ca.crt",
        "jwks": {"minRefresh": "100ms", "maxAge": "100ms"},
    })]);
    document["auth"]["oauth"]["introspectionLimits"] = json!({"inFlight": 1000, "perSecond": 10000});
    let tuning = Tuning { tick: Duration::from_millis(50), ..tuning() };
    let gateway = Arc::new(Gateway::within(&document, files.directory(), &tuning));
    let load = Load::start(&gateway, &idp);
    tokio::join!(idp.seen(old_token), idp.seen(&old_secret));

    // Who exchanges credentials lets both in for a while.
    idp.accept(&[old_token, &old_secret, new_token, &new_secret]);
    files.replace([&old.pem, "token-2\n", "secret-2\n"]);
    let replaced = Instant::now();
    tokio::join!(idp.seen(new_token), idp.seen(&new_secret));
    assert!(replaced.elapsed() < IN_USE_WITHIN, "{:?}", replaced.elapsed());
    sleep_until(replaced + IN_USE_WITHIN).await;
    idp.accept(&[new_token, &new_secret]);
    idp.answers(50).await;

    // The new authority beside the old one, then its certificate, then the new one alone.
    files.replace([&format!("{}{}", old.pem, new.pem), "token-2", "secret-2"]);
    sleep_until(Instant::now() + IN_USE_WITHIN).await;
    idp.present(&new);
    idp.answers(50).await;
    files.replace([&new.pem, "token-2", "secret-2"]);
    sleep_until(Instant::now() + IN_USE_WITHIN).await;
    idp.answers(50).await;
    let answered = load.end().await;
    assert_eq!(idp.refused(), 0, "our requests that failed");
    println!("{answered} requests were answered 200");

    // And the old one is out.
    idp.present(&old);
    assert_eq!(gateway.ask("once-more").await.status, 503);
    // The provider may learn of it after our client did.
    let mut refused = idp.state.refused.subscribe();
    tokio::time::timeout(Duration::from_secs(10), refused.wait_for(|refused| *refused > 0))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_renamed_over_are_in_use_within_two_seconds_and_no_request_fails() {
    everything_is_exchanged(Files::renamed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_of_the_kubelets_is_followed_within_two_seconds_and_no_request_fails() {
    everything_is_exchanged(Files::volume).await;
}
