//! Opaque tokens through the filter in a real Envoy (SPEC O). The endpoint asks for no credentials here.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use envoy_test::client::{self, RawConnection};
use envoy_test::{EnvoyOptions, Gateway, GatewayOptions, RawRequest};
use serde_json::{Value, json};
use tokio::sync::watch;

const SERVERS: &str = "/registry/default/v0.1/servers";

/// An introspection endpoint of both kinds, which knows tokens that begin with `good`.
struct Endpoint {
    url: String,
    asked: Arc<watch::Sender<Vec<String>>>,
    gate: watch::Sender<bool>,
}

#[derive(Clone)]
struct Shared {
    asked: Arc<watch::Sender<Vec<String>>>,
    open: Arc<Mutex<watch::Receiver<bool>>>,
}

impl Endpoint {
    async fn start() -> Self {
        let asked = Arc::new(watch::Sender::new(Vec::new()));
        let (gate, open) = watch::channel(true);
        let shared = Shared { asked: Arc::clone(&asked), open: Arc::new(Mutex::new(open)) };
        let router = Router::new()
            .route("/introspect", post(introspect))
            .route("/tokeninfo", get(tokeninfo))
            .with_state(shared);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked, gate }
    }

    async fn gateway(&self, path: &str, concurrency: u32) -> Gateway {
        let provider = json!({
            "name": "p", "issuerUrl": self.url, "audience": "registry-api", "introspectionUrl": format!("{}{path}", self.url),
        });
        let oauth = json!({"resourceUrl": "https://registry.example.com", "providers": [provider]});
        let envoy = EnvoyOptions { concurrency, ..EnvoyOptions::default() };
        // Longer than a thousand connections take.
        let filter = Some(json!({ "calloutTimeout": "20s" }));
        let options = GatewayOptions { envoy, filter, ..GatewayOptions::default() };
        Gateway::start(&json!({"auth": {"mode": "oauth", "oauth": oauth}}), &options).await
    }

    fn asked(&self) -> usize {
        self.asked.borrow().len()
    }

    async fn wait_until_asked(&self, times: usize) {
        let mut asked = self.asked.subscribe();
        tokio::time::timeout(Duration::from_secs(20), asked.wait_for(|asked| asked.len() >= times))
            .await
            .expect("asked in time")
            .unwrap();
    }
}

async fn introspect(State(shared): State<Shared>, form: String) -> (StatusCode, String) {
    shared.asked.send_modify(|asked| asked.push(form.clone()));
    let mut open = shared.open.lock().unwrap().clone();
    open.wait_for(|open| *open).await.unwrap();
    let token = form.split('&').next().unwrap().strip_prefix("token=").unwrap();
    if token.starts_with("broken") {
        return (StatusCode::INTERNAL_SERVER_ERROR, String::new());
    }
    let answer: Value = match token.strip_prefix("good") {
        Some(subject) => json!({"active": true, "aud": ["registry-api"], "sub": subject, "scope": "a b"}),
        None => json!({"active": false}),
    };
    (StatusCode::OK, answer.to_string())
}

async fn tokeninfo(State(shared): State<Shared>, uri: axum::http::Uri) -> (StatusCode, String) {
    let query = uri.query().unwrap().to_owned();
    shared.asked.send_modify(|asked| asked.push(query.clone()));
    if query == "access_token=ya29.good" {
        let answer =
            json!({"aud": "registry-api", "sub": "1", "exp": "4000000000", "email": "ada@example.com"});
        return (StatusCode::OK, answer.to_string());
    }
    (StatusCode::BAD_REQUEST, json!({"error": "invalid_token"}).to_string())
}

fn get_with(token: &str) -> RawRequest {
    RawRequest::get(SERVERS).bearer(token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opaque_tokens_are_introspected_and_remembered() {
    let endpoint = Endpoint::start().await;
    let gateway = endpoint.gateway("/introspect", 1).await;
    for _ in 0..3 {
        let response = gateway.request(&get_with("good-ada/+=")).await.unwrap();
        assert_eq!(response.status, 200, "{}", response.text());
        assert!(
            response.text().contains(r#"["x-auth-subject","-ada%252F%252B%253D"]"#),
            "{}",
            response.text()
        );
    }
    assert_eq!(*endpoint.asked.borrow(), ["token=good-ada%2F%2B%3D&token_type_hint=access_token"]);
    let refused = gateway.request(&get_with("unknown")).await.unwrap();
    assert_eq!(
        (refused.status, refused.json()["error_description"].as_str()),
        (401, Some("token is not active"))
    );
    let outage = gateway.request(&get_with("broken")).await.unwrap();
    assert_eq!((outage.status, outage.header("retry-after").as_deref()), (503, Some("5")));
    assert_eq!(
        gateway.request(&get_with("good-ada/+=")).await.unwrap().status,
        200,
        "what is known stays known"
    );
    assert!(!gateway.envoy().log_lines("failed to introspect").is_empty());
    for secret in ["good-ada", "unknown", "token=broken"] {
        assert!(gateway.envoy().log_lines(secret).is_empty(), "{secret} was logged");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn googles_tokens_are_asked_for_by_tokeninfo() {
    let endpoint = Endpoint::start().await;
    let gateway = endpoint.gateway("/tokeninfo", 1).await;
    let response = gateway.request(&get_with("ya29.good")).await.unwrap();
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(response.text().contains(r#"["x-auth-user","ada@example.com"]"#), "{}", response.text());
    assert_eq!(gateway.request(&get_with("ya29.bad")).await.unwrap().status, 401);
    assert!(gateway.envoy().log_lines("ya29").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_token_asked_a_thousand_times_at_once_costs_one_question_a_worker() {
    let endpoint = Endpoint::start().await;
    let gateway = endpoint.gateway("/introspect", 2).await;
    endpoint.gate.send_replace(false);
    let mut connections = Vec::new();
    for _ in 0..1000 {
        let mut connection = RawConnection::connect(gateway.address()).await.unwrap();
        connection.send(&client::encode(&get_with("good"), "registry.example.com")).await.unwrap();
        connections.push(connection);
    }
    endpoint.wait_until_asked(1).await;
    assert!(!connections[0].answers_within(Duration::from_millis(300)).await);
    assert!(gateway.upstream().arrivals().is_empty());
    endpoint.gate.send_replace(true);
    for mut connection in connections {
        assert_eq!(connection.response("GET").await.unwrap().status, 200);
    }
    assert!(endpoint.asked() <= 2, "{} questions", endpoint.asked());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_request_survives_the_client_whose_request_asked() {
    let endpoint = Endpoint::start().await;
    let gateway = endpoint.gateway("/introspect", 1).await;
    endpoint.gate.send_replace(false);
    let request = client::encode(&get_with("good"), "registry.example.com");
    let mut owner = RawConnection::connect(gateway.address()).await.unwrap();
    owner.send(&request).await.unwrap();
    endpoint.wait_until_asked(1).await;
    let mut waiting = RawConnection::connect(gateway.address()).await.unwrap();
    waiting.send(&request).await.unwrap();
    assert!(!waiting.answers_within(Duration::from_millis(300)).await);
    assert_eq!(endpoint.asked(), 1);
    drop(owner);
    endpoint.wait_until_asked(2).await;
    endpoint.gate.send_replace(true);
    assert_eq!(waiting.response("GET").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_bounded_and_known_tokens_keep_passing() {
    let endpoint = Endpoint::start().await;
    let gateway = endpoint.gateway("/introspect", 1).await;
    assert_eq!(gateway.request(&get_with("good")).await.unwrap().status, 200);
    let started = std::time::Instant::now();
    let mut connection = RawConnection::connect(gateway.address()).await.unwrap();
    for number in 0..1000 {
        let garbage = connection.exchange(&get_with(&format!("garbage{number}"))).await.unwrap();
        assert!([401, 503].contains(&garbage.status), "{}", garbage.status);
        if number % 50 == 0 {
            assert_eq!(connection.exchange(&get_with("good")).await.unwrap().status, 200);
        }
    }
    let seconds = started.elapsed().as_secs() + 1;
    let asked = u64::try_from(endpoint.asked()).unwrap();
    assert!(asked <= 1 + 100 * (seconds + 1), "{asked} questions in {seconds} s");
}
