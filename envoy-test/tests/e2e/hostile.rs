//! Providers that hang, lie, or send more than anybody wants, in both shells: their own tokens are answered 503, another provider's 200, and memory stays
//! within the limits that docs/security.md states.

mod server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use envoy_test::client::RawConnection;
use envoy_test::envoy::resident_bytes;
use envoy_test::provider::{Algorithm, Authority, Provider, RealmOptions};
use envoy_test::{EnvoyOptions, Gateway, GatewayOptions, RawRequest, RawResponse, client};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::registry_process::Registry;
use server::{Behaviour, Server};

/// By how many MiB Envoy's memory, of two workers, may grow while all of these are hostile at once, again and again.
const ENVOY_MAY_GROW: u64 = 32;
/// The same of the registry.
const REGISTRY_MAY_GROW: u64 = 32;

/// How often each provider is hostile. A failure is followed by a back-off, which grows.
const ATTEMPTS: usize = 2;
/// In scripts/nightly.
const NIGHTLY_ATTEMPTS: usize = 6;

const REALM: &str = "production";
const MIB: u64 = 1 << 20;

/// Everybody who is in this.
struct World {
    sound: Arc<Provider>,
    hostile: Server,
    /// Has a certificate for another name.
    misnamed: Provider,
    /// Where redirects lead, and nobody may go.
    elsewhere: TcpListener,
    files: tempfile::TempDir,
}

/// A provider of the document that is hostile.
#[derive(Clone)]
struct Entry {
    name: String,
    issuer: String,
    document: Value,
}

impl World {
    async fn start() -> Self {
        let realm = || RealmOptions::new(REALM, "registry-api").algorithms(&[Algorithm::Es256]);
        let authority = Authority::new("first");
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let identity = authority.issue(&["127.0.0.2", "localhost", "idp.example.test"]);
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("ca.pem"), authority.pem()).unwrap();
        Self {
            sound: Arc::new(Provider::builder().realm(realm()).start().unwrap()),
            hostile: Server::start(elsewhere.local_addr().unwrap()).await,
            misnamed: Provider::builder().realm(realm()).tls("127.0.0.1", identity).start().unwrap(),
            elsewhere,
            files,
        }
    }

    /// Each is hostile about its metadata, or about its keys and what it knows of tokens.
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![{
            let issuer = self.misnamed.issuer(REALM);
            let document = json!({ "name": "misnamed", "issuerUrl": issuer, "audience": "registry-api", "caCertPath": self.files.path().join("ca.pem") });
            Entry { name: "misnamed".to_owned(), issuer, document }
        }];
        for (kind, behaviour) in Behaviour::ALL {
            for copy in 0..behaviour.copies() {
                for introspects in [false, true] {
                    let name = format!("{kind}-{copy}-{introspects}");
                    let issuer = format!("http://{}/{name}", self.hostile.address);
                    let mut document =
                        json!({ "name": name, "issuerUrl": issuer, "audience": "registry-api" });
                    if introspects {
                        document["jwksUrl"] = json!(format!("{issuer}/keys"));
                        document["introspectionUrl"] = json!(format!("{issuer}/introspect"));
                    }
                    entries.push(Entry { name, issuer, document });
                }
            }
        }
        entries
    }

    fn document(&self) -> Value {
        let sound =
            json!({ "name": "sound", "issuerUrl": self.sound.issuer(REALM), "audience": "registry-api" });
        let providers: Vec<Value> =
            self.entries().into_iter().map(|entry| entry.document).chain([sound]).collect();
        json!({ "auth": { "mode": "oauth", "oauth": { "resourceUrl": "https://registry.example.com", "providers": providers } } })
    }

    /// How often a provider was asked.
    fn asked(&self, entry: &Entry) -> usize {
        // Its handshakes fail, and that cannot be counted from here.
        if entry.name == "misnamed" { usize::MAX } else { self.hostile.asked(&entry.name) }
    }
}

fn get(token: &str) -> RawRequest {
    RawRequest::get("/registry/default/v0.1/servers").bearer(token)
}

fn assert_outage(answer: &RawResponse, name: &str) {
    assert_eq!(answer.status, 503, "{name}: {}", answer.text());
    assert_eq!(answer.header("retry-after").as_deref(), Some("5"), "{name}");
    assert_eq!(answer.json()["error"], "temporarily_unavailable", "{name}");
    assert_eq!(answer.header("www-authenticate"), None, "{name}");
}

/// Looks at a process's memory all the time.
struct Memory {
    pid: u32,
    before: u64,
    peak: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Memory {
    fn watch(pid: u32) -> Self {
        let before = resident_bytes(pid).unwrap();
        let (peak, stop) = (Arc::new(AtomicU64::new(before)), Arc::new(AtomicBool::new(false)));
        let (seen, stopped) = (Arc::clone(&peak), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                seen.fetch_max(resident_bytes(pid).unwrap_or_default(), Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self { pid, before, peak, stop }
    }

    /// What it came to, in MiB: before, at most, and now.
    fn told(&self) -> (u64, u64, u64) {
        let now = resident_bytes(self.pid).unwrap();
        (self.before / MIB, self.peak.load(Ordering::SeqCst) / MIB, now / MIB)
    }

    fn growth(&self) -> u64 {
        (self.peak.load(Ordering::SeqCst) - self.before) / MIB
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// Asks for the sound provider's tokens all the time, known and new ones, and tells how many answers there were and how long the slowest took.
async fn keep_asking(sound: Arc<Provider>, address: SocketAddr, stop: Arc<AtomicBool>) -> (usize, Duration) {
    let mut connection = RawConnection::connect(address).await.unwrap();
    let known = sound.token(REALM).mint();
    let (mut answered, mut slowest) = (0, Duration::ZERO);
    while !stop.load(Ordering::SeqCst) {
        for token in [&known, &sound.token(REALM).subject(&format!("user-{answered}")).mint()] {
            let asked = Instant::now();
            let answer = connection.exchange(&get(token)).await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
            slowest = slowest.max(asked.elapsed());
            answered += 1;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (answered, slowest)
}

/// The table: everybody is hostile at once, several times.
async fn endure(world: &World, address: SocketAddr, pid: u32, hang: Duration) -> u64 {
    let attempts = if std::env::var_os("NIGHTLY").is_some() { NIGHTLY_ATTEMPTS } else { ATTEMPTS };
    // Before, they are merely out of order.
    assert_eq!(client::send(address, &get(&world.sound.token(REALM).mint())).await.unwrap().status, 200);
    let token = |entry: &Entry| world.sound.token(REALM).issuer(&entry.issuer).mint();
    for entry in world.entries() {
        assert_outage(&client::send(address, &get(&token(&entry))).await.unwrap(), &entry.name);
    }
    let memory = Memory::watch(pid);
    world.hostile.wake();

    let stop = Arc::new(AtomicBool::new(false));
    let asking = keep_asking(Arc::clone(&world.sound), address, Arc::clone(&stop));
    // On a thread of its own: what the hostile server does on ours is no delay of the gateway's.
    let asking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(asking)
    });
    let started = Instant::now();
    let mut left: Vec<Entry> = world.entries();
    for attempt in 1.. {
        let mut answers = JoinSet::new();
        for entry in world.entries() {
            let request = get(&token(&entry));
            answers.spawn(async move { (client::send(address, &request).await.unwrap(), entry.name) });
        }
        while let Some(answer) = answers.join_next().await {
            let (answer, name) = answer.unwrap();
            assert_outage(&answer, &name);
        }
        left.retain(|entry| world.asked(entry) < attempts);
        if left.is_empty() && attempt >= attempts {
            break;
        }
        let names: Vec<&str> = left.iter().map(|entry| entry.name.as_str()).collect();
        assert!(started.elapsed() < Duration::from_secs(240), "not asked often enough: {names:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stop.store(true, Ordering::SeqCst);
    let (answered, slowest) = asking.join().unwrap();
    let (before, peak, after) = memory.told();
    println!(
        "{} hostile providers, {attempts} attempts in {:?}: {before} MiB before, {peak} at most, {after} after; {answered} other requests, the slowest in {slowest:?}",
        world.entries().len(),
        started.elapsed(),
    );
    assert!(slowest < hang, "another provider's tokens waited {slowest:?}");
    let visited = tokio::time::timeout(Duration::ZERO, world.elsewhere.accept()).await;
    assert!(visited.is_err(), "a redirect was followed");
    assert!(world.misnamed.requests(REALM).is_empty(), "a certificate for another name was accepted");
    memory.growth()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_envoy_hostile_providers_harm_their_own_tokens_only() {
    let _alone = crate::ALONE.lock().await;
    let world = World::start().await;
    let hang = Duration::from_secs(2);
    let options = GatewayOptions {
        envoy: EnvoyOptions {
            concurrency: 2,
            component_log_level: "wasm:info".to_owned(),
            ..EnvoyOptions::default()
        },
        filter: Some(json!({ "calloutTimeout": "2s" })),
        ..GatewayOptions::default()
    };
    let gateway = Gateway::start(&world.document(), &options).await;
    let growth = endure(&world, gateway.address(), gateway.envoy().pid(), hang).await;
    assert!(growth <= ENVOY_MAY_GROW, "Envoy's memory grew by {growth} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn natively_hostile_providers_harm_their_own_tokens_only() {
    let _alone = crate::ALONE.lock().await;
    let world = World::start().await;
    // As built in.
    let hang = Duration::from_secs(5);
    let registry = Registry::start(&world.document()).await;
    let growth = endure(&world, registry.address, registry.pid(), hang).await;
    assert!(growth <= REGISTRY_MAY_GROW, "the registry's memory grew by {growth} MiB");
}

#[test]
fn the_limits_are_those_of_the_documentation() {
    let told = std::fs::read_to_string(envoy_test::project::root().join("docs/security.md")).unwrap();
    let hostile = 1 + Behaviour::ALL.iter().map(|(_, behaviour)| 2 * behaviour.copies()).sum::<usize>();
    let said = format!(
        "With {hostile} of them at once, again and again, Envoy's memory grows by at most {ENVOY_MAY_GROW} MiB and the registry's by at most {REGISTRY_MAY_GROW} MiB"
    );
    assert!(told.replace('\n', " ").contains(&said), "docs/security.md does not say: {said}");
}
