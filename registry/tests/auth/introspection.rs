//! Opaque tokens, and the files behind our own credentials (SPEC O, C-6).

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registry::auth::Tuning;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::gateway::{Gateway, document, tuning};

/// An introspection endpoint that knows one token, and remembers what it was asked.
struct Endpoint {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    gate: watch::Sender<bool>,
}

/// `Authorization`, and the form.
type Asked = (Option<String>, String);

type Shared = (Arc<Mutex<Vec<Asked>>>, watch::Receiver<bool>);

impl Endpoint {
    async fn start() -> Self {
        let asked = Arc::default();
        let (gate, open) = watch::channel(true);
        let router = Router::new().route("/introspect", post(answer)).with_state((Arc::clone(&asked), open));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked, gate }
    }

    fn entry(&self) -> Value {
        json!({"name": "p", "issuerUrl": self.url, "audience": "registry-api", "introspectionUrl": format!("{}/introspect", self.url)})
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(
    State((asked, mut open)): State<Shared>,
    headers: HeaderMap,
    form: String,
) -> (StatusCode, String) {
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    asked.lock().unwrap().push((authorization, form.clone()));
    open.wait_for(|open| *open).await.unwrap();
    let body = match form.split('&').next() {
        Some("token=good") => json!({"active": true, "aud": "registry-api", "sub": "ada", "scope": "a"}),
        Some("token=broken") => return (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        _ => json!({"active": false}),
    };
    (StatusCode::OK, body.to_string())
}

fn gateway(entry: Value, directory: &Path) -> Gateway {
    Gateway::within(&document(&[entry]), directory, &Tuning { ..tuning() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_asked_a_thousand_times_at_once_costs_one_question() {
    let endpoint = Endpoint::start().await;
    let gateway = gateway(endpoint.entry(), Path::new(""));
    endpoint.gate.send_replace(false);
    let mut waiting = JoinSet::new();
    for _ in 0..1000 {
        waiting.spawn(gateway.begin("good").await);
    }
    endpoint.gate.send_replace(true);
    let answers = waiting.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(answers[0].json()["headers"]["x-auth-subject"], "ada");
    assert_eq!(endpoint.asked(), [(None, "token=good&token_type_hint=access_token".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_inactive_is_401_and_an_outage_503() {
    let endpoint = Endpoint::start().await;
    let gateway = gateway(endpoint.entry(), Path::new(""));
    let refused = gateway.ask("unknown").await;
    assert_eq!((refused.status, &refused.json()["error_description"]), (401, &json!("token is not active")));
    assert_eq!(gateway.ask("good").await.status, 200);
    let outage = gateway.ask("broken").await;
    assert_eq!((outage.status, outage.header("retry-after")), (503, Some("5")));
    assert_eq!(gateway.ask("good").await.status, 200, "what is known stays known");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_secret_is_sent_by_basic_and_rotates_on_disk() {
    let endpoint = Endpoint::start().await;
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("secret"), "a:b c%\n").unwrap();
    let mut entry = endpoint.entry();
    entry["clientId"] = json!("registry client");
    entry["clientSecretFile"] = json!("secret");
    // Not sent where there is a secret.
    std::fs::write(files.path().join("token"), "service-account").unwrap();
    entry["authTokenFile"] = json!("token");
    let gateway = gateway(entry, files.path());
    assert_eq!(gateway.ask("one").await.status, 401);
    std::fs::write(files.path().join("next"), "rotated").unwrap();
    std::fs::rename(files.path().join("next"), files.path().join("secret")).unwrap();
    assert_eq!(gateway.ask("two").await.status, 401);
    std::fs::write(files.path().join("secret"), " \n").unwrap();
    assert_eq!(gateway.ask("three").await.status, 503, "an empty secret is not sent");
    let basic = |text: &str| Some(format!("Basic {}", STANDARD.encode(text)));
    let sent: Vec<Option<String>> =
        endpoint.asked().into_iter().map(|(authorization, _)| authorization).collect();
    assert_eq!(sent, [basic("registry+client:a%3Ab+c%25"), basic("registry+client:rotated")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_file_is_sent_as_bearer_token_and_follows_the_kubelets_swap() {
    let endpoint = Endpoint::start().await;
    let files = tempfile::tempdir().unwrap();
    let within = |name: &str| files.path().join(name);
    for (directory, token) in [("v1", "first\n"), ("v2", "second\n")] {
        std::fs::create_dir(within(directory)).unwrap();
        std::fs::write(within(directory).join("token"), token).unwrap();
    }
    std::os::unix::fs::symlink("v1", within("..data")).unwrap();
    std::os::unix::fs::symlink("..data/token", within("token")).unwrap();
    let mut entry = endpoint.entry();
    entry["authTokenFile"] = json!("token");
    let gateway = gateway(entry, files.path());
    assert_eq!(gateway.ask("one").await.status, 401);
    std::os::unix::fs::symlink("v2", within("..tmp")).unwrap();
    std::fs::rename(within("..tmp"), within("..data")).unwrap();
    assert_eq!(gateway.ask("two").await.status, 401);
    let sent: Vec<Option<String>> =
        endpoint.asked().into_iter().map(|(authorization, _)| authorization).collect();
    assert_eq!(sent, [Some("Bearer first".to_owned()), Some("Bearer second".to_owned())]);
}
