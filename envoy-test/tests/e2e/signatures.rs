//! Forged tokens as fast as they can be sent, in both shells: no more signatures are verified in any second than the configuration allows, and fresh good
//! tokens of other addresses pass all the while.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use envoy_test::client::RawConnection;
use envoy_test::provider::RealmOptions;
use envoy_test::{Algorithm, EnvoyOptions, Gateway, GatewayOptions, Provider, RawRequest};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::registry_process::Registry;

const REALM: &str = "production";
const SERVERS: &str = "/registry/default/v0.1/servers";
const PER_SECOND: usize = 40;
const PER_CLIENT: usize = 20;
/// How long a flood lasts at least.
const LASTING: Duration = Duration::from_secs(3);
/// Fresh good tokens, one after the other while it lasts: fewer in a second than are kept for their clients.
const GOOD: usize = 20;
const METRIC: &str = "registry_auth_signature_verifications_total";

/// Where requests come from, and how the gateway gets to know.
#[derive(Clone, Copy)]
enum From {
    /// The connection.
    Peer(Ipv4Addr),
    /// What a proxy in front, which is believed, says of its own client.
    Forwarded(&'static str),
}

impl From {
    async fn connect(self, address: SocketAddr) -> io::Result<RawConnection> {
        match self {
            Self::Peer(local) => RawConnection::connect_from(local, address).await,
            Self::Forwarded(_) => RawConnection::connect(address).await,
        }
    }

    fn request(self, token: &str) -> RawRequest {
        let request = RawRequest::get(SERVERS).bearer(token);
        match self {
            Self::Peer(_) => request,
            Self::Forwarded(client) => request.header("X-Forwarded-For", client),
        }
    }
}

const PEERS: [From; 4] = [
    From::Peer(Ipv4Addr::new(127, 0, 0, 2)),
    From::Peer(Ipv4Addr::new(127, 0, 0, 3)),
    From::Peer(Ipv4Addr::new(127, 0, 0, 4)),
    From::Peer(Ipv4Addr::new(127, 0, 0, 5)),
];

fn provider() -> Provider {
    Provider::builder()
        .realm(RealmOptions::new(REALM, "registry-api").algorithms(&[Algorithm::Rs256]))
        .start()
        .unwrap()
}

fn document(provider: &Provider) -> Value {
    let keycloak =
        json!({ "name": "keycloak", "issuerUrl": provider.issuer(REALM), "audience": "registry-api" });
    json!({ "auth": { "mode": "oauth", "oauth": {
        "resourceUrl": "https://registry.example.com",
        "providers": [keycloak],
        "signatureLimits": { "perSecond": PER_SECOND, "perClient": PER_CLIENT },
    } } })
}

/// The same claims under another wrong signature each time.
fn forged(token: &str, number: usize) -> String {
    let (signed, _) = token.rsplit_once('.').unwrap();
    let mut signature = [1; 256];
    signature[200..208].copy_from_slice(&(number as u64).to_be_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// What became of forged tokens.
#[derive(Clone, Copy, Default)]
struct Answers {
    refused: usize,
    put_off: usize,
}

async fn forge(
    from: From,
    address: SocketAddr,
    token: Arc<str>,
    next: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> Answers {
    let mut connection = from.connect(address).await.unwrap();
    let mut answers = Answers::default();
    while !stop.load(Ordering::SeqCst) {
        let token = forged(&token, next.fetch_add(1, Ordering::SeqCst));
        let answer = connection.exchange(&from.request(&token)).await.unwrap();
        match answer.status {
            401 => answers.refused += 1,
            503 => {
                assert_eq!(answer.header("retry-after").as_deref(), Some("5"));
                assert_eq!(answer.json()["error_description"], "too many tokens to verify");
                answers.put_off += 1;
            }
            status => panic!("a forged token was answered {status}"),
        }
    }
    answers
}

/// Floods from `forgers`, and sends fresh good tokens from `clean` meanwhile. Returns how many signatures were verified, by the answers.
async fn flood(provider: &Provider, address: SocketAddr, forgers: &[From], clean: [From; 2]) -> usize {
    let mint = |subject: &str| provider.token(REALM).subject(subject).mint();
    let (known, template): (String, Arc<str>) = (mint("known"), mint("template").into());
    let good: Vec<String> = (0..GOOD).map(|number| mint(&format!("good-{number}"))).collect();
    let [first, second] = clean;
    let mut connections = [first.connect(address).await.unwrap(), second.connect(address).await.unwrap()];
    assert_eq!(connections[0].exchange(&first.request(&known)).await.unwrap().status, 200);

    let started = Instant::now();
    let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut forging = JoinSet::new();
    for from in forgers {
        forging.spawn(forge(*from, address, Arc::clone(&template), Arc::clone(&next), Arc::clone(&stop)));
    }
    let pause = LASTING / u32::try_from(GOOD).unwrap();
    for (number, token) in good.iter().enumerate() {
        let from = clean[number % 2];
        let connection = &mut connections[number % 2];
        let answer = connection.exchange(&from.request(token)).await.unwrap();
        assert_eq!(answer.status, 200, "fresh good token {number}: {}", answer.text());
        let answer = connection.exchange(&from.request(&known)).await.unwrap();
        assert_eq!(answer.status, 200, "recognised: {}", answer.text());
        tokio::time::sleep(pause).await;
    }
    stop.store(true, Ordering::SeqCst);
    let answers = forging.join_all().await;
    let took = started.elapsed();
    let (refused, put_off) = answers
        .iter()
        .fold((0, 0), |(refused, put_off), answers| (refused + answers.refused, put_off + answers.put_off));
    println!(
        "{refused} forged tokens refused and {put_off} put off in {took:?}; {GOOD} fresh good tokens passed"
    );
    assert!(put_off > 0, "it was no flood");
    let seconds = usize::try_from(took.as_secs()).unwrap() + 1;
    // Those with wrong signatures have half; each may come as a stranger once.
    assert!(refused <= seconds * PER_SECOND / 2 + forgers.len(), "{refused} in {took:?}");
    for answers in answers.iter().filter(|_| matches!(forgers[0], From::Peer(_))) {
        assert!(answers.refused <= seconds * PER_CLIENT, "{} of one address in {took:?}", answers.refused);
    }
    refused + GOOD + 1
}

async fn gateway(provider: &Provider, render: &[&str]) -> Gateway {
    let options = GatewayOptions {
        envoy: EnvoyOptions { component_log_level: "wasm:warning".to_owned(), ..EnvoyOptions::default() },
        render: render.iter().map(|&argument| argument.to_owned()).collect(),
        ..GatewayOptions::default()
    };
    Gateway::start(&document(provider), &options).await
}

fn counted(metrics: &str) -> usize {
    let values = metrics.lines().filter(|line| line.starts_with(METRIC));
    values.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok()).sum()
}

/// Envoy's metrics are told once a second: waits until they have what was seen.
async fn verifications(gateway: &Gateway, seen: usize) -> usize {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let counted = counted(&gateway.envoy().prometheus().await);
        if counted >= seen {
            return counted;
        }
        assert!(Instant::now() < deadline, "{counted} counted, {seen} seen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_envoy_forged_tokens_from_several_addresses_lock_nobody_out() {
    let _alone = crate::ALONE.lock().await;
    let provider = provider();
    let gateway = gateway(&provider, &[]).await;
    let [a, b, clean, newcomer] = PEERS;
    let seen = flood(&provider, gateway.address(), &[a, a, b, b], [clean, newcomer]).await;
    assert_eq!(verifications(&gateway, seen).await, seen);
    let log = gateway.envoy().log();
    assert_eq!(log.matches("fresh tokens are answered 503").count(), 1, "told once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_envoy_clients_of_a_trusted_proxy_are_told_apart() {
    let _alone = crate::ALONE.lock().await;
    let provider = provider();
    let gateway = gateway(&provider, &["--trusted-hops", "1"]).await;
    let forgers = ["192.0.2.1", "192.0.2.2", "2001:db8:1::1", "2001:db8:1::2"].map(From::Forwarded);
    let clean = ["192.0.2.3", "2001:db8:2::1"].map(From::Forwarded);
    let seen = flood(&provider, gateway.address(), &forgers, clean).await;
    assert_eq!(verifications(&gateway, seen).await, seen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_envoy_nobody_gets_another_share_by_naming_another_address() {
    let _alone = crate::ALONE.lock().await;
    let provider = provider();
    let gateway = gateway(&provider, &[]).await;
    let token = provider.token(REALM).mint();
    let mut connection = RawConnection::connect(gateway.address()).await.unwrap();
    let known = RawRequest::get(SERVERS).bearer(&token);
    assert_eq!(connection.exchange(&known).await.unwrap().status, 200);
    let (started, mut refused, mut put_off) = (Instant::now(), 0, 0);
    for number in 0..400 {
        let request = RawRequest::get(SERVERS)
            .bearer(&forged(&token, number))
            .header("X-Forwarded-For", format!("192.0.2.{}", number % 250));
        match connection.exchange(&request).await.unwrap().status {
            401 => refused += 1,
            503 => put_off += 1,
            status => panic!("a forged token was answered {status}"),
        }
    }
    let seconds = usize::try_from(started.elapsed().as_secs()).unwrap() + 1;
    assert!(put_off > 0 && refused <= seconds * PER_CLIENT, "{refused} in {seconds} s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn natively_forged_tokens_from_several_addresses_lock_nobody_out() {
    let _alone = crate::ALONE.lock().await;
    let provider = provider();
    let registry = Registry::start(&document(&provider)).await;
    let [a, b, clean, newcomer] = PEERS;
    let seen = flood(&provider, registry.address, &[a, a, b, b], [clean, newcomer]).await;
    assert_eq!(counted(&registry.metrics().await), seen);
}
