//! The documents of `examples/` against the providers they are for, in every shell: one table each (`cases/examples`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use envoy_test::cases::Host;
use envoy_test::cases::examples::{self, EXAMPLES, Report, Scenario};
use envoy_test::loopback::Loopback;
use envoy_test::provider::Algorithm;
use envoy_test::provider::vendor::{Asked, Kubernetes};
use envoy_test::{Gateway, GatewayOptions, RawRequest, project};
use registry::auth::Tuning;
use registry::auth::resolver::{Found, Lookup};
use serde_json::json;

use crate::core::Core;
use crate::tower::Tower;

/// Every name leads here.
struct Here(SocketAddr);

impl Lookup for Here {
    fn lookup(&self, _: &str) -> Found {
        let address = self.0;
        Box::pin(async move { Ok(vec![address]) })
    }
}

async fn through_the_core(scenario: &Scenario) -> Report {
    scenario.run(&Core::new(&scenario.document(), Some(Arc::clone(&scenario.asked)))).await
}

async fn through_the_tower_layer(scenario: &Scenario) -> Report {
    let loopback = Loopback::start(Arc::clone(&scenario.asked)).unwrap();
    let tuning = Tuning { lookup: Arc::new(Here(loopback.address())), ..Tuning::default() };
    scenario.run(&Tower::start(&loopback.document(&scenario.document()), &tuning).await).await
}

async fn through_envoy(scenario: &Scenario) -> Report {
    let loopback = Loopback::start(Arc::clone(&scenario.asked)).unwrap();
    let options = GatewayOptions { edit: Some(loopback.edit()), ..GatewayOptions::default() };
    let gateway = Gateway::start(&loopback.document(&scenario.document()), &options).await;
    let report = scenario.run(&gateway).await;
    for line in &report.logged {
        gateway.envoy().wait_for_log(line).await;
    }
    for exchange in scenario.asked.exchanges() {
        for credential in exchange.request.values("authorization") {
            let (_, secret) = credential.split_once(' ').unwrap();
            assert!(!gateway.envoy().log().contains(secret), "a credential is in the log");
        }
    }
    report
}

macro_rules! scenarios {
    ($($name:ident: $least:literal;)*) => {
        $(
            mod $name {
                use super::*;

                #[tokio::test]
                async fn core() {
                    let passed = through_the_core(&examples::$name()).await.passed;
                    assert!(passed >= $least, "only {passed} cases");
                    println!("{passed} cases passed");
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn tower() {
                    let scenario = examples::$name();
                    if scenario.runs_in(Host::Tower) {
                        through_the_tower_layer(&scenario).await;
                    }
                }

                #[tokio::test]
                async fn envoy() {
                    let scenario = examples::$name();
                    if scenario.runs_in(Host::Envoy) {
                        through_envoy(&scenario).await;
                    }
                }
            }
        )*

        fn scenarios() -> Vec<Scenario> {
            vec![$(examples::$name()),*]
        }
    };
}

scenarios! {
    keycloak: 60;
    keycloak_without_keys: 12;
    keycloak_without_its_client: 3;
    auth0: 45;
    okta: 45;
    okta_with_introspection: 5;
    entra: 90;
    entra_without_v1: 3;
    google: 20;
    google_with_id_tokens: 40;
    kubernetes: 50;
    kubernetes_without_our_token: 2;
    kubernetes_with_a_token_of_before: 1;
    kubernetes_by_discovery: 1;
    kubernetes_on_public_addresses: 1;
}

#[test]
fn every_example_is_tested_as_it_is() {
    let mut directories: Vec<String> = std::fs::read_dir(project::root().join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "local")
        .collect();
    directories.sort();
    let mut known = EXAMPLES.map(str::to_owned);
    known.sort();
    assert_eq!(directories, known);
    let scenarios = scenarios();
    for example in EXAMPLES {
        assert!(scenarios.iter().any(|scenario| scenario.example == example), "{example}");
    }
}

/// The lines that docs/providers.md shows are those that the scenarios look for in Envoy's log.
#[test]
fn what_the_documentation_says_is_logged() {
    let text = std::fs::read_to_string(project::root().join("docs/providers.md")).unwrap();
    let logged: Vec<String> = scenarios().iter().flat_map(Scenario::logged).collect();
    let is_of_the_log = |line: &&str| {
        ["401", "503", "provider "].iter().any(|start| line.starts_with(start)) && line.contains(": ")
    };
    let documented: Vec<&str> = text.lines().filter(is_of_the_log).collect();
    assert!(documented.len() >= EXAMPLES.len(), "{documented:?}");
    for line in documented {
        assert!(logged.iter().any(|logged| logged.contains(line)), "nothing logs {line}");
    }
}

/// The kubelet replaces the token, the API server its key, and the former ones are worth nothing.
struct Rotation {
    kubernetes: Arc<Kubernetes>,
    asked: Arc<Asked>,
    loopback: Loopback,
}

impl Rotation {
    fn new() -> Self {
        let kubernetes = Kubernetes::new();
        let asked = Arc::new(Asked::new(Arc::clone(&kubernetes) as _));
        let loopback = Loopback::start(Arc::clone(&asked)).unwrap();
        Self { kubernetes, asked, loopback }
    }

    fn document(&self) -> serde_json::Value {
        self.loopback.document(&examples::kubernetes().document())
    }

    fn request(&self) -> RawRequest {
        RawRequest::get("/registry/default/v0.1/servers").bearer(&self.kubernetes.token().mint())
    }

    /// A new token of ours in the place of the former one.
    fn replace_our_token(&self) -> String {
        let token = self.kubernetes.issue_our_token();
        self.loopback.write(Kubernetes::TOKEN_FILE, &token).unwrap();
        token
    }

    /// Nothing of before is good for anything, but what clients have.
    fn forget_the_former_ones(&self) {
        self.kubernetes.expire_our_former_tokens();
        self.kubernetes.rotate(Algorithm::Rs256);
    }

    fn was_never_refused(&self) {
        let exchanges = self.asked.exchanges();
        assert!(exchanges.len() >= 2, "the keys were fetched again");
        assert!(exchanges.iter().all(|exchange| exchange.status == 200), "{exchanges:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_token_may_be_exchanged_under_the_tower_layer() {
    use envoy_test::cases::Subject;

    let rotation = Rotation::new();
    let tuning = Tuning { lookup: Arc::new(Here(rotation.loopback.address())), ..Tuning::default() };
    let tower = Tower::start(&rotation.document(), &tuning).await;
    let former = rotation.request();
    assert_eq!(tower.send(&former).await.unwrap().status, 200);
    rotation.replace_our_token();
    rotation.forget_the_former_ones();
    assert_eq!(tower.send(&rotation.request()).await.unwrap().status, 200);
    assert_eq!(tower.send(&former).await.unwrap().status, 200);
    rotation.was_never_refused();
}

#[tokio::test]
async fn our_token_may_be_exchanged_under_envoy() {
    let rotation = Rotation::new();
    let mut document = rotation.document();
    // Keys are fetched all the time, which shows the token that is in use.
    document["auth"]["oauth"]["providers"][0]["jwks"] = json!({ "minRefresh": "100ms", "maxAge": "100ms" });
    let options = GatewayOptions { edit: Some(rotation.loopback.edit()), ..GatewayOptions::default() };
    let gateway = Gateway::start(&document, &options).await;
    let former = rotation.request();
    assert_eq!(gateway.request(&former).await.unwrap().status, 200);
    let ours = format!("Bearer {}", rotation.replace_our_token());
    let is_in_use = || {
        let exchanges = rotation.asked.exchanges();
        exchanges
            .iter()
            .rev()
            .take(3)
            .all(|exchange| exchange.request.values("authorization") == [ours.as_str()])
    };
    let started = Instant::now();
    while !is_in_use() {
        assert!(started.elapsed() < Duration::from_secs(20), "the new token is never in use");
        assert_eq!(gateway.request(&former).await.unwrap().status, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    rotation.forget_the_former_ones();
    assert_eq!(gateway.request(&rotation.request()).await.unwrap().status, 200);
    assert_eq!(gateway.request(&former).await.unwrap().status, 200);
    rotation.was_never_refused();
}
