//! How many signatures are verified: a share for each address that the server tells, and recognised tokens beside it.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use serde_json::json;

use crate::gateway::{Answer, Gateway, document, entry, tuning, with_token};
use crate::provider::Provider;

async fn gateway(provider: &Provider) -> Gateway {
    let mut document = document(&[entry("a", provider)]);
    document["auth"]["oauth"]["signatureLimits"] = json!({"perSecond": 16, "perClient": 4});
    Gateway::new(&document, &tuning())
}

/// As a server sends it in that tells its connections' other ends.
async fn ask_from(gateway: &Gateway, address: &str, token: &str) -> Answer {
    let mut request = with_token(token);
    let peer = SocketAddr::new(address.parse::<IpAddr>().unwrap(), 49_152);
    request.extensions_mut().insert(ConnectInfo(peer));
    gateway.send(request).await
}

fn token_of(provider: &Provider, subject: &str) -> String {
    provider.token_with(1, json!({"sub": subject}))
}

fn forged(provider: &Provider, subject: &str) -> String {
    let token = token_of(provider, subject);
    let (signed, _) = token.rsplit_once('.').unwrap();
    format!("{signed}.{}", "A".repeat(86))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_one_address_takes_its_share_and_no_more() {
    let provider = Provider::start(1).await;
    let gateway = gateway(&provider).await;
    let known = token_of(&provider, "known");
    assert_eq!(ask_from(&gateway, "192.0.2.1", &known).await.status, 200);
    let mut statuses = Vec::new();
    for number in 0..50 {
        // One client has all addresses of its network.
        let address = format!("2001:db8::{number:x}");
        statuses.push(ask_from(&gateway, &address, &forged(&provider, &number.to_string())).await.status);
        assert_eq!(ask_from(&gateway, "192.0.2.1", &known).await.status, 200);
    }
    assert_eq!(statuses[..4], [401; 4]);
    assert!(
        statuses.contains(&503) && statuses.iter().all(|status| [401, 503].contains(status)),
        "{statuses:?}"
    );
    for address in ["192.0.2.2", "::ffff:192.0.2.3"] {
        assert_eq!(ask_from(&gateway, address, &token_of(&provider, address)).await.status, 200, "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_503_with_retry_after() {
    let provider = Provider::start(1).await;
    let gateway = gateway(&provider).await;
    let mut answers = Vec::new();
    for number in 0..50 {
        // Without an address the whole is for all.
        answers.push(gateway.ask(&forged(&provider, &number.to_string())).await);
    }
    let verified = answers.iter().take_while(|answer| answer.status == 401).count();
    assert!(verified >= 16, "{verified}");
    let refused = answers.iter().find(|answer| answer.status == 503).unwrap();
    assert_eq!(refused.header("retry-after"), Some("5"));
    assert_eq!(refused.header("cache-control"), Some("no-store"));
    assert_eq!(refused.header("www-authenticate"), None);
    assert_eq!(
        refused.json(),
        json!({"error": "temporarily_unavailable", "error_description": "too many tokens to verify"})
    );
}
