//! Requests that need the same keys wait for one refresh (SPEC J-10).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use registry::auth::Tuning;
use registry::auth::resolver::{Found, Lookup};
use registry_auth::authenticator::Step;
use registry_auth::decision::Decision;
use registry_auth::request::{Client, RequestHead};
use registry_auth::time::UnixTime;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::gateway::{Gateway, document, entry, tuning};
use crate::provider::{Fault, Provider};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_cold_requests_cost_one_discovery_and_one_key_set() {
    let provider = Provider::start(1).await;
    let (release, released) = watch::channel(false);
    provider.set_fault(Fault::Held(released));
    let gateway = Gateway::of(&[entry("a", &provider)]);
    let token = provider.token(1);
    let mut waiting = JoinSet::new();
    for _ in 0..1000 {
        waiting.spawn(gateway.begin(&token).await);
    }
    release.send_replace(true);
    assert!(waiting.join_all().await.iter().all(|answer| answer.status == 200));
    assert_eq!(provider.fetches(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_race_with_the_end_of_a_refresh_do_not_begin_another() {
    let provider = Provider::start(1).await;
    let gateway = Arc::new(Gateway::of(&[entry("a", &provider)]));
    let mut racing = JoinSet::new();
    for _ in 0..1000 {
        let (gateway, token) = (Arc::clone(&gateway), provider.token(1));
        racing.spawn(async move { gateway.ask(&token).await });
    }
    assert!(racing.join_all().await.iter().all(|answer| answer.status == 200));
    assert_eq!(provider.fetches(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_lands_before_it_can_be_joined_is_not_begun_again() {
    let provider = Provider::start(1).await;
    let (release, released) = watch::channel(false);
    provider.set_fault(Fault::Held(released));
    let gateway = Gateway::of(&[entry("a", &provider)]);
    let (now, begun) = (SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs(), Instant::now());
    let authorization = format!("Bearer {}", provider.token(1));
    let headers: [(&[u8], &[u8]); 1] = [(b"authorization", authorization.as_bytes())];
    let head = RequestHead {
        method: b"GET",
        path: Some(b"/"),
        headers: &headers,
        has_body: false,
        client: Client::UNKNOWN,
    };
    // It needs keys, and is slow to say so: meanwhile they come.
    let step = gateway.gate.authenticator().start(&head, UnixTime::from_secs(now));
    assert!(matches!(step, Step::Fetch(_)));
    release.send_replace(true);
    assert_eq!(gateway.ask(&provider.token(1)).await.status, 200);
    assert!(matches!(gateway.gate.settle(begun, step).await, Decision::Forward(_)));
    assert_eq!(provider.fetches(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_fetched_before_anybody_asks() {
    let provider = Provider::start(1).await;
    let gateway = Gateway::of(&[entry("a", &provider)]);
    provider.asked(2).await;
    assert_eq!(gateway.ask(&provider.token(1)).await.status, 200);
    assert_eq!(provider.fetches(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_no_refresh_along() {
    let provider = Provider::start(1).await;
    let gateway = Gateway::of(&[entry("a", &provider)]);
    assert_eq!(gateway.ask(&provider.token(1)).await.status, 200);
    let (release, released) = watch::channel(false);
    provider.set_fault(Fault::Held(released));
    provider.publish(&[1, 2]);
    // This one begins the refresh, the other joins it.
    let leaving = gateway.begin(&provider.token(2)).await;
    provider.asked(3).await;
    let staying = gateway.begin(&provider.token(2)).await;
    drop(leaving);
    release.send_replace(true);
    // It came after the request for the keys went out, and so asks once more.
    assert_eq!(staying.await.status, 200);
    assert_eq!(provider.fetches(), (1, 2));
}

/// Panics once.
struct Panics(AtomicBool);

impl Lookup for Panics {
    fn lookup(&self, _: &str) -> Found {
        assert!(self.0.swap(true, Ordering::SeqCst), "as the test wants");
        Box::pin(async { Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_panics_wakes_who_waits() {
    let named = |address: std::net::SocketAddr| format!("http://localhost:{}", address.port());
    let provider = Provider::with_issuer(1, named, None).await;
    let tuning = Tuning { lookup: Arc::new(Panics(AtomicBool::new(false))), ..tuning() };
    let gateway = Gateway::new(&document(&[entry("a", &provider)]), &tuning);
    assert_eq!(gateway.ask(&provider.token(1)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn patience_ends_and_the_refresh_goes_on() {
    let provider = Provider::start(1).await;
    let (release, released) = watch::channel(false);
    provider.set_fault(Fault::Held(released));
    let tuning = Tuning { patience: Duration::from_millis(50), ..tuning() };
    let gateway = Gateway::new(&document(&[entry("a", &provider)]), &tuning);
    let answer = gateway.ask(&provider.token(1)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    release.send_replace(true);
    provider.asked(2).await;
    while gateway.ask(&provider.token(1)).await.status != 200 {}
    assert_eq!(provider.fetches(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_background_task_ends_with_the_gate() {
    let provider = Provider::start(1).await;
    let gateway = Gateway::of(&[entry("a", &provider)]);
    assert_eq!(gateway.ask(&provider.token(1)).await.status, 200);
    let gate = Arc::downgrade(&gateway.gate);
    drop(gateway);
    // Its client goes with it.
    provider.ended(1).await;
    assert!(gate.upgrade().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_under_load_refuses_nobody() {
    const ROTATIONS: u8 = 20;
    let provider = Arc::new(Provider::start(1).await);
    let mut entry = entry("a", &provider);
    entry["jwks"] = json!({"unknownKidBurst": 100, "unknownKidInterval": "100ms"});
    let gateway = Arc::new(Gateway::of(&[entry]));
    let published = Arc::new(Mutex::new(vec![1]));
    let answered = Arc::new(AtomicUsize::new(0));
    let (progress, mut progressed) = watch::channel(0);
    let mut load = JoinSet::new();
    for _ in 0..8 {
        let (provider, gateway, published) =
            (Arc::clone(&provider), Arc::clone(&gateway), Arc::clone(&published));
        let (answered, progress) = (Arc::clone(&answered), progress.clone());
        load.spawn(async move {
            let mut worst = 200;
            while published.lock().unwrap().last().is_some_and(|newest| *newest <= ROTATIONS) {
                let seed = *published.lock().unwrap().last().unwrap();
                let answer = gateway.ask(&provider.token(seed)).await;
                worst = worst.max(answer.status);
                let number = answered.fetch_add(1, Ordering::SeqCst);
                progress.send_modify(|progress| *progress = number);
            }
            worst
        });
    }
    // Every 50 answers, a key comes and the one before the sixth last goes.
    for seed in 2..=ROTATIONS + 1 {
        let goal = *progressed.borrow() + 50;
        progressed.wait_for(|progress| *progress >= goal).await.unwrap();
        let mut published = published.lock().unwrap();
        let mut next = published.clone();
        next.push(seed);
        provider.publish(&next[next.len().saturating_sub(6)..]);
        *published = next;
    }
    assert_eq!(load.join_all().await, [200; 8]);
    let (discoveries, key_sets) = provider.fetches();
    assert_eq!(discoveries, 1);
    assert!(key_sets <= 1 + 2 * usize::from(ROTATIONS), "{key_sets} key sets");
}
