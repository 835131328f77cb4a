//! Providers that are out of order harm their own tokens only, and no others.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use registry::auth::{Fetcher, Tuning};
use registry_auth::fetch::{FetchError, FetchResult};
use registry_auth::policy::Policy;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::gateway::{Everywhere, Gateway, document, entry, key_request, policy, tuning};
use crate::provider::{Fault, Provider};

/// Sends one request by itself.
async fn fetch(entry: &Value, url: &str, tuning: &Tuning) -> Result<u16, FetchError> {
    let Policy::Oauth(oauth) = policy(&document(std::slice::from_ref(entry))) else { panic!("oauth") };
    let fetcher = Fetcher::new(&oauth.providers, Vec::new(), std::path::Path::new("."), tuning).unwrap();
    match fetcher.fetch(&key_request(url, 1000)).await {
        FetchResult::Response(response) => Ok(response.status),
        FetchResult::Failed(error) => Err(error),
    }
}

fn anywhere(address: SocketAddr) -> Value {
    json!({"name": "a", "issuerUrl": format!("http://{address}"), "audience": "registry-api"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_hangs_delays_its_own_tokens_only_and_not_for_ever() {
    let (hanging, sound) = (Provider::start(1).await, Provider::start(2).await);
    hanging.set_fault(Fault::Hangs);
    let tuning = Tuning { fetch_timeout: Duration::from_secs(1), ..tuning() };
    let gateway = Gateway::new(&document(&[entry("hanging", &hanging), entry("sound", &sound)]), &tuning);
    let began = Instant::now();
    let waiting = gateway.begin(&hanging.token(1)).await;
    assert_eq!(gateway.ask(&sound.token(2)).await.status, 200);
    let answer = waiting.await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (503, None));
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(gateway.ask(&sound.token(2)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed() {
    let (lying, other) = (Provider::start(1).await, Provider::start(1).await);
    lying.set_fault(Fault::Redirects(format!("{}/keys", other.issuer())));
    let gateway = Gateway::of(&[entry("a", &lying)]);
    assert_eq!(gateway.ask(&lying.token(1)).await.status, 503);
    assert_eq!(other.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_is_not_read_to_its_end() {
    for declared in [false, true] {
        let provider = Provider::start(1).await;
        let length = 64 * 1024 * 1024;
        provider.set_fault(Fault::Long { length, declared });
        let gateway = Gateway::of(&[entry("a", &provider)]);
        assert_eq!(gateway.ask(&provider.token(1)).await.status, 503);
        provider.ended(1).await;
        // What the sockets of both sides buffer was written, too.
        assert!(provider.written() < length / 2, "{} bytes", provider.written());
    }
    let provider = Provider::start(1).await;
    for (length, declared) in [(1001, true), (1001, false), (1 << 20, false)] {
        provider.set_fault(Fault::Long { length, declared });
        let fetched = fetch(&entry("a", &provider), provider.issuer(), &tuning()).await;
        assert_eq!(fetched, Err(FetchError::TooLong { limit: 1000 }), "{length} {declared}");
    }
    provider.set_fault(Fault::Long { length: 1000, declared: false });
    assert_eq!(fetch(&entry("a", &provider), provider.issuer(), &tuning()).await, Ok(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_resolves_to_an_address_that_is_not_permitted_is_not_connected_to() {
    let named = |address: SocketAddr| format!("http://idp.example.com:{}", address.port());
    let provider = Provider::with_issuer(1, named, None).await;
    let tuning = Tuning { lookup: Arc::new(Everywhere(IpAddr::V4(Ipv4Addr::LOCALHOST))), ..tuning() };
    let mut entry = entry("a", &provider);
    let gateway = Gateway::new(&document(&[entry.clone()]), &tuning);
    assert_eq!(gateway.ask(&provider.token(1)).await.status, 503);
    assert_eq!(provider.connections(), 0);
    let error = fetch(&entry, provider.issuer(), &tuning).await.unwrap_err();
    assert!(
        matches!(&error, FetchError::Refused(how) if how.starts_with("idp.example.com resolves to 127.0.0.1")),
        "{error}"
    );

    entry["allowPrivateIP"] = json!(true);
    let gateway = Gateway::new(&document(&[entry]), &tuning);
    assert_eq!(gateway.ask(&provider.token(1)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discovered_address_that_is_not_permitted_is_not_connected_to() {
    let provider = Provider::start(1).await;
    let public = json!({"name": "a", "issuerUrl": "http://idp.example.com", "audience": "registry-api"});
    for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "idp.localhost"] {
        let url = format!("http://{host}:{}/keys", provider.address.port());
        let error = fetch(&public, &url, &tuning()).await.unwrap_err();
        assert!(matches!(error, FetchError::Refused(_)), "{host}: {error}");
    }
    assert_eq!(provider.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_in_words_that_can_be_searched_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/keys?secret=1");
    let error = fetch(&anywhere(address), &url, &tuning()).await.unwrap_err();
    assert_eq!(error, FetchError::Unreachable("connection refused".to_owned()));

    let hanging = Provider::start(1).await;
    hanging.set_fault(Fault::Hangs);
    let short = Tuning { fetch_timeout: Duration::from_millis(50), ..tuning() };
    let error = fetch(&entry("a", &hanging), hanging.issuer(), &short).await.unwrap_err();
    assert_eq!(error, FetchError::TimedOut);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_ends_by_itself() {
    let provider = Provider::start(1).await;
    provider.set_fault(Fault::Redirects("/".to_owned()));
    let gateway = Gateway::of(&[entry("a", &provider)]);
    assert_eq!(gateway.ask(&provider.token(1)).await.status, 503);
    let (_release, released) = watch::channel(true);
    provider.set_fault(Fault::Held(released));
    // Nobody asks meanwhile: the background refresh comes after the back-off of a second.
    provider.asked(3).await;
    assert_eq!(gateway.ask(&provider.token(1)).await.status, 200);
}
